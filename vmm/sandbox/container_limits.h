/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a container on the host: which of them its cgroup can enforce. */
#ifndef MICROVM_SANDBOX_CONTAINER_LIMITS_H
#define MICROVM_SANDBOX_CONTAINER_LIMITS_H

#include <stdbool.h>

#include "vmm/sandbox/sandbox.h"

/* Errors: ERANGE, EINVAL (--cgroup-parent); the message names the option. */
int container_limits_check(const struct sandbox_options *options, struct error *err);

/*
 * Whether a container can get a cgroup within `parent` ("": of the caller's choice). Without the
 * devices controller root's runtimes make no cgroup at all. (Without root, the user namespace
 * closes devices, and the runtime can do without.)
 */
bool container_limits_can_group(const char *parent);

/* Whether the runtime at that path makes no use of the cgroups of this host. */
bool container_limits_are_ignored(const char *runtime_path);

/* Sets the resources that can be enforced within `parent`; warns of the others, by their options.
 */
void container_limits_apply(const struct sandbox_limits *limits, const char *runtime_path,
                            const char *parent, struct oci_resources *resources);

#endif
