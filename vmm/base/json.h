/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text is read and written in one way everywhere, and memory that is short is not taken for
 * text that is wrong. */
#ifndef MICROVM_BASE_JSON_H
#define MICROVM_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "vmm/base/error.h"

/* The owner of a reference; see cleanup.h. */
#define AUTO_JSON __attribute__((cleanup(json_cleanup)))
static inline void json_cleanup(json_t *const *value)
{
    json_decref(*value);
}

/*
 * Parses `size` bytes of JSON: one object or array, in which no key comes twice. The caller owns
 * *root. Errors: ENOMEM, EINVAL (not such a text; *err says in which line, and
 * what is wrong there).
 */
int json_parse(const char *text, size_t size, json_t **root, struct error *err);

/*
 * Appends to an array, sets a member of an object; `value` is taken over. When memory is short, or
 * has been, which a null value says, the container is released and becomes null: nothing is left
 * out in silence, and only the end of a long construction need be looked at.
 */
void json_append(json_t **array, json_t *value);
void json_put(json_t **object, const char *key, json_t *value);

/* A JSON string of any text: bytes that are not UTF-8, which JSON cannot carry, become '?'. Null
 * when out of memory. */
json_t *json_from_text(const char *text);

/*
 * The text of a value, with jansson's flags; the caller frees it. Null when memory is short, and
 * for a null value. Not json_dumps(), which leaves the name of a member out when that does not fit
 * into memory, and says nothing.
 */
char *json_to_text(const json_t *value, size_t flags);

/*
 * Writes `value`, with jansson's flags, and a newline. In a string, what is not safe to show
 * (text.h) is escaped, which for a reader of JSON is the same. Errors: ENOMEM, also for a null
 * `value`, as json_pack() returns it when memory is short. What cannot be written stays noted in
 * `out` (ferror(3)), for whoever flushes it.
 */
int json_write(const json_t *value, size_t flags, FILE *out, struct error *err);

/*
 * Writes a string as JSON, or a list of them up to the null pointer (`strings` may be null: none).
 * The texts are UTF-8. What is the same at each run is written so, instead of made into values that
 * are then written. Errors stay with `file`.
 */
void json_write_string(FILE *file, const char *text);
void json_write_strings(FILE *file, const char *const *strings);

#endif
