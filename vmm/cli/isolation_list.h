/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: --isolation of the commands that look at an image behind several walls. */
#ifndef MICROVM_CLI_ISOLATION_LIST_H
#define MICROVM_CLI_ISOLATION_LIST_H

#include <stddef.h>

#include "vmm/base/error.h"

#define WALLS_MAX 3

/*
 * The walls of a list such as "container,vm", as names of `run --isolation`; NULL: all that are
 * here. Errors: EINVAL (a name is unknown, or there twice).
 */
int isolation_list_choose(const char *list, const char *walls[WALLS_MAX], size_t *count,
                          struct error *err);

#endif
