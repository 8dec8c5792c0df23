/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access to JSON from images; see document.h. */
#include "vmm/image/document.h"

#include <errno.h>
#include <string.h>

#include "vmm/base/cleanup.h"

int document_parse(const char *text, size_t size, bool array, const char *what, json_t **root,
                   struct error *err)
{
    struct error problem;
    AUTO_JSON json_t *value = NULL;
    int rc = json_parse(text, size, &value, &problem);

    if (rc < 0)
        return error_set(err, rc == -ENOMEM ? ENOMEM : EBADMSG, "%s: %s", what, problem.text);
    if (array ? !json_is_array(value) : !json_is_object(value))
        return error_set(err, EBADMSG, "%s: expected a JSON %s", what, array ? "array" : "object");
    *root = steal_pointer(value);
    return 0;
}

static json_t *field(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static int wrong_type(const char *what, const char *key, const char *expected, struct error *err)
{
    return error_set(err, EBADMSG, "%s: field '%s' is not %s", what, key, expected);
}

int document_string(const json_t *object, const char *key, const char *what, char **value,
                    struct error *err)
{
    const json_t *string = field(object, key);

    *value = NULL;
    if (!string)
        return 0;
    if (!json_is_string(string))
        return wrong_type(what, key, "a string", err);
    if (json_string_length(string) == 0)
        return 0;
    *value = strdup(json_string_value(string));
    return *value ? 0 : error_set_errno(err, ENOMEM, "%s", what);
}

int document_strings(const json_t *object, const char *key, const char *what,
                     struct string_list *list, struct error *err)
{
    const json_t *value = field(object, key);

    if (!value)
        return 0;
    if (json_is_string(value)) {
        if (string_list_add(list, json_string_value(value)) < 0)
            return error_set_errno(err, ENOMEM, "%s", what);
        return 0;
    }
    if (!json_is_array(value))
        return wrong_type(what, key, "a list of strings", err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));

        if (!text)
            return wrong_type(what, key, "a list of strings", err);
        if (string_list_add(list, text) < 0)
            return error_set_errno(err, ENOMEM, "%s", what);
    }
    return 0;
}

int document_object(const json_t *object, const char *key, const char *what, json_t **value,
                    struct error *err)
{
    *value = field(object, key);
    if (*value && !json_is_object(*value))
        return wrong_type(what, key, "an object", err);
    return 0;
}

int document_array(const json_t *object, const char *key, const char *what, json_t **value,
                   struct error *err)
{
    *value = field(object, key);
    if (*value && !json_is_array(*value))
        return wrong_type(what, key, "a list", err);
    return 0;
}

int document_foreign_descriptor(const json_t *object, const char *what,
                                char digest[DIGEST_ANY_SIZE], uint64_t *size, struct error *err)
{
    const char *text = json_string_value(json_object_get(object, "digest"));
    const json_t *number = json_object_get(object, "size");

    if (!text || !digest_is_known(text))
        return error_set(err, EBADMSG, "%s: a descriptor lacks a valid sha256 or sha512 digest",
                         what);
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return error_set(err, EBADMSG, "%s: the descriptor of %s lacks a size", what, text);
    memcpy(digest, text, strlen(text) + 1);
    *size = (uint64_t)json_integer_value(number);
    return 0;
}

int document_descriptor(const json_t *object, const char *what, char digest[DIGEST_SIZE],
                        uint64_t *size, struct error *err)
{
    char known[DIGEST_ANY_SIZE];
    int rc = document_foreign_descriptor(object, what, known, size, err);

    if (rc < 0)
        return rc;
    if (!digest_is_valid(known))
        return error_set(err, EBADMSG, "%s: a descriptor's digest is not a sha256 digest", what);
    memcpy(digest, known, DIGEST_SIZE);
    return 0;
}
