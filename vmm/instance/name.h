/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: names of instances: which ones are allowed, and new ones out of two words. */
#ifndef MICROVM_INSTANCE_NAME_H
#define MICROVM_INSTANCE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/instance/instance.h"

/* Is `name` [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most INSTANCE_NAME_MAX long? Never true for a name with
 * '/', nor for "." and "..". */
bool name_is_valid(const char *name);

/* Writes an "adjective_noun" that depends on nothing but `seed`. */
void name_invent(uint32_t seed, char name[INSTANCE_NAME_MAX + 1]);

#endif
