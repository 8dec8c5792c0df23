/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: settings "NAME=value" in a list where each name stands once. */
#ifndef MICROVM_IMAGE_ENVIRONMENT_H
#define MICROVM_IMAGE_ENVIRONMENT_H

#include <stdbool.h>

#include "vmm/base/string_list.h"

/* Adds "NAME=value", in the place of an earlier value if there is one; a bare "NAME" removes it.
 * Returns 0 or -ENOMEM. */
int environment_put(struct string_list *list, const char *setting);

/* Is there a setting, with or without a value, of this name? */
bool environment_has(const struct string_list *list, const char *name);

#endif
