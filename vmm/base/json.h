/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: JSON text is read in one way everywhere, and memory that is short is not taken for text
 * that is wrong. */
#ifndef MICROVM_BASE_JSON_H
#define MICROVM_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "vmm/base/error.h"

/*
 * Parses `size` bytes of JSON: one object or array, in which no key comes twice. The caller gives
 * *root up by json_decref(). Errors: ENOMEM, EINVAL (not such a text; *err says in which line, and
 * what is wrong there).
 */
int json_parse(const char *text, size_t size, json_t **root, struct error *err);

/* A JSON array of the strings up to the null pointer; null when out of memory. */
json_t *json_from_strings(const char *const *strings);

#endif
