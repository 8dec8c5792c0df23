/* SPDX-License-Identifier: Apache-2.0 */
/* Environment lists by docker's rules: settings "NAME=value", each name once. */
#ifndef MICROVM_OCI_ENVIRONMENT_H
#define MICROVM_OCI_ENVIRONMENT_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"

/* Adds "NAME=value", in the place of an earlier value if there is one; a bare "NAME" removes it.
 * Returns 0 or -ENOMEM. */
int environment_put(struct string_list *list, const char *setting);

/* Is there a setting, with or without a value, of this name? */
bool environment_has(const struct string_list *list, const char *name);

/*
 * One -e option: "K=V", or "K" to take K from `client` (the caller's environ), or to remove it from
 * the image's when it is not set there. Errors: EINVAL (no name before '='), ENOMEM.
 */
int environment_add_option(struct string_list *environment, const char *option, char *const *client,
                           struct error *err);

/*
 * The text of one --env-file (`path` is for messages): lines "K=V" or "K" (taken from `client`,
 * skipped when not set there), comments with '#'. docker applies files before -e options: call in
 * that order. Errors: EINVAL (names file and line), ENOMEM.
 */
int environment_add_file(struct string_list *environment, const char *path, const char *text,
                         char *const *client, struct error *err);

#endif
