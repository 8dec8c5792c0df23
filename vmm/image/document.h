/* SPDX-License-Identifier: Apache-2.0 */
/* Access to untrusted JSON: bounded, typed, with messages that name the document and the field. */
#ifndef MICROVM_IMAGE_DOCUMENT_H
#define MICROVM_IMAGE_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/json.h"
#include "vmm/base/string_list.h"
#include "vmm/image/reference.h"

/*
 * Parses an object (or, with `array`, an array); `what` names it in messages. Duplicate keys, NUL
 * in strings, and nesting deeper than 2048 levels are refused. The caller owns *root.
 * Errors: EBADMSG, ENOMEM.
 */
int document_parse(const char *text, size_t size, bool array, const char *what, json_t **root,
                   struct error *err);

/* The following take null or an object as `object`; a missing or null field is "absent". All:
 * EBADMSG, ENOMEM. */

/* A copy of a string field, null when absent or empty. The caller frees *value. */
int document_string(const json_t *object, const char *key, const char *what, char **value,
                    struct error *err);

/* A list of strings, empty when absent; a single string is a list of one, same as in docker. */
int document_strings(const json_t *object, const char *key, const char *what,
                     struct string_list *list, struct error *err);

/* An object or array field, null when absent. Borrowed. */
int document_object(const json_t *object, const char *key, const char *what, json_t **value,
                    struct error *err);
int document_array(const json_t *object, const char *key, const char *what, json_t **value,
                   struct error *err);

/* A descriptor's digest ("sha256:" and 64 digits) and size (bytes, not negative), both required. */
int document_descriptor(const json_t *object, const char *what, char digest[DIGEST_SIZE],
                        uint64_t *size, struct error *err);

/* The same with a digest of either kind that digest.h knows. */
int document_foreign_descriptor(const json_t *object, const char *what,
                                char digest[DIGEST_ANY_SIZE], uint64_t *size, struct error *err);

#endif
