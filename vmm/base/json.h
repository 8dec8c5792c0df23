/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: JSON text is read in one way everywhere, and memory that is short is not taken for text
 * that is wrong. */
#ifndef MICROVM_BASE_JSON_H
#define MICROVM_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "vmm/base/error.h"

/*
 * Parses `size` bytes of JSON: one object or array, in which no key comes twice. The caller gives
 * *root up by json_decref(). Errors: ENOMEM, EINVAL (not such a text; *err says in which line, and
 * what is wrong there).
 */
int json_parse(const char *text, size_t size, json_t **root, struct error *err);

/* A JSON string of any text: bytes that are not UTF-8, which JSON cannot carry, become '?'. Null
 * when out of memory. */
json_t *json_from_text(const char *text);

/*
 * Writes a string as JSON, or a list of them up to the null pointer (`strings` may be null: none).
 * The texts are UTF-8. What is the same at each run is written so, instead of made into values that
 * are then written. Errors stay with `file`.
 */
void json_write_string(FILE *file, const char *text);
void json_write_strings(FILE *file, const char *const *strings);

#endif
