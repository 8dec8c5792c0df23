/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandboxes there are. A further one is one file, vmm/sandbox/sandbox_NAME.c, which defines
 * `sandbox_NAME`, and one row here: commands, tables and help texts take what they need to know
 * from its members, and no code compares names.
 */
#ifndef MICROVM_SANDBOX_REGISTRY_H
#define MICROVM_SANDBOX_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/error.h"
#include "vmm/sandbox/sandbox.h"

/* X(NAME), NAME as in --isolation=NAME. The first is the default of `run`. */
#define SANDBOXES(X)                                                                               \
    X(vm)                                                                                          \
    X(container)                                                                                   \
    X(gvisor)

#define SANDBOX_INDEX(name) SANDBOX_INDEX_##name,
enum { SANDBOXES(SANDBOX_INDEX) SANDBOX_COUNT };

#define SANDBOX_DECLARE(name) extern const struct sandbox sandbox_##name;
SANDBOXES(SANDBOX_DECLARE)

/* "vm|container|gvisor", for help texts. */
#define SANDBOX_BAR_NAME(name) "|" #name
#define SANDBOX_NAMES          (&("" SANDBOXES(SANDBOX_BAR_NAME))[1])

extern const struct sandbox *const sandbox_registry[SANDBOX_COUNT];

/* The sandbox of that name (NULL: the default). Errors: EINVAL (the message lists all names). */
int sandbox_find(const char *name, const struct sandbox **sandbox, struct error *err);

/*
 * The sandboxes of a list such as "container,vm", in that order; NULL: all whose runtime is
 * installed, the baseline first. Errors: EINVAL (a name is unknown, or listed twice).
 */
int sandbox_find_all(const char *list, const struct sandbox *sandboxes[SANDBOX_COUNT],
                     size_t *count, struct error *err);

/* Whether the OCI runtime of the sandbox can be found; true when it is bundled or there is none. */
bool sandbox_is_installed(const struct sandbox *sandbox);

/* The runtime whose program this is, by the path's last component; NULL: an unknown one. */
const struct sandbox_runtime *sandbox_runtime_find(const char *path);

/*
 * Refuses what the user asked for and this sandbox does not have, by its traits. Errors: EINVAL,
 * EPERM (it needs root); the message names the option and the way out.
 */
int sandbox_check_options(const struct sandbox *sandbox, const struct sandbox_options *options,
                          struct error *err);

#endif
