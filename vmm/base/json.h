/* SPDX-License-Identifier: Apache-2.0 */
/* One way to read and write JSON. Running out of memory is never reported as malformed text. */
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
 * Parses `size` bytes of JSON: one object or array, in which no key is listed twice. The caller
 * owns *root. Errors: ENOMEM, EINVAL (malformed; *err names the line and the problem).
 */
int json_parse(const char *text, size_t size, json_t **root, struct error *err);

/*
 * Appends to an array, sets a member of an object; takes ownership of `value`. When memory is
 * short, or was (`value` is null), the container is released and becomes null. So no member is
 * silently missing, and the caller only checks the finished document.
 */
void json_append(json_t **array, json_t *value);
void json_put(json_t **object, const char *key, json_t *value);

/* A JSON string of any text: bytes that are not UTF-8 become '?', since JSON cannot carry them.
 * Null when out of memory. */
json_t *json_from_text(const char *text);

/*
 * The text of a value, with jansson's flags; the caller frees it. Null when memory is short, and
 * for a null value. json_dumps() cannot be used: when memory is short, it silently drops names of
 * members.
 */
char *json_to_text(const json_t *value, size_t flags);

/*
 * Writes `value`, with jansson's flags, and a newline. In strings, codepoints that are not safe to
 * show (text.h) are escaped, which means the same to a JSON reader. Errors: ENOMEM, also for a null
 * `value`, which json_pack() returns when memory is short. A write error stays in `out`
 * (ferror(3)), for the caller that flushes it.
 */
int json_write(const json_t *value, size_t flags, FILE *out, struct error *err);

/*
 * Writes a string as JSON, or a list of them up to the null pointer (`strings` may be null: none).
 * The texts are UTF-8. For documents that are mostly constant, this is cheaper than building values
 * first. Errors stay in `file`.
 */
void json_write_string(FILE *file, const char *text);
void json_write_strings(FILE *file, const char *const *strings);

#endif
