/* SPDX-License-Identifier: Apache-2.0 */
/* Names of instances: which are valid, and generated ones of two words. */
#ifndef MICROVM_CONTAINER_INSTANCE_NAME_H
#define MICROVM_CONTAINER_INSTANCE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define INSTANCE_NAME_MAX 63 /* [a-zA-Z0-9][a-zA-Z0-9_.-]*, as docker's names */

/* Is `name` [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most INSTANCE_NAME_MAX long? Never true for a name with
 * '/', nor for "." and "..". */
bool instance_name_is_valid(const char *name);

/* Writes an "adjective_noun" that depends on nothing but `seed`. */
void instance_name_generate(uint32_t seed, char name[INSTANCE_NAME_MAX + 1]);

#endif
