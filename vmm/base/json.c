/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: reading JSON; see json.h. */
#include "vmm/base/json.h"

#include <errno.h>

#include "vmm/base/printable.h"

int json_parse(const char *text, size_t size, json_t **root, struct error *err)
{
    json_error_t why;
    char near[JSON_ERROR_TEXT_LENGTH];

    /* Where it has no memory, jansson says "invalid token", or nothing: the allocator is asked. */
    errno = 0;
    *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (*root)
        return 0;
    if (errno == ENOMEM)
        return error_set_errno(err, ENOMEM, "cannot parse JSON");
    printable_copy(near, sizeof(near), why.text); /* it quotes what is wrong */
    return error_set(err, EINVAL, "not valid JSON: line %d: %s", why.line, near);
}

json_t *json_from_strings(const char *const *strings)
{
    json_t *array = json_array();

    for (; *strings; strings++) {
        if (json_array_append_new(array, json_string(*strings)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}
