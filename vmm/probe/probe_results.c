/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the output of microvm-probes, which is untrusted data; see probe_results.h. */
#include "vmm/probe/probe_results.h"

#include <errno.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/syscall_name.h"

#define LINES_MAX 256
#define LINE_MAX  16384

static bool is_flat(json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        if (json_is_object(value) || json_is_array(value))
            return false;
    }
    return true;
}

/* Returns false if it is out of memory. */
static bool take_line(json_t *results, const char *line, size_t size)
{
    AUTO_JSON json_t *object = NULL;
    int rc = size <= LINE_MAX ? json_parse(line, size, &object, NULL) : 0;
    const char *name = json_string_value(json_object_get(object, "check"));

    if (name && is_flat(object) && !json_object_get(results, name) &&
        json_object_set(results, name, object) < 0)
        rc = -ENOMEM;
    return rc != -ENOMEM;
}

json_t *probe_results_parse(const char *text, size_t size)
{
    AUTO_JSON json_t *results = json_object();
    size_t lines = 0;

    while (results && size > 0 && lines++ < LINES_MAX) {
        const char *end = memchr(text, '\n', size);

        if (!end)
            break; /* incomplete: the program did not finish */
        if (!take_line(results, text, (size_t)(end - text)))
            return NULL;
        size -= (size_t)(end - text) + 1;
        text = end + 1;
    }
    return steal_pointer(results);
}

const char *probe_result_text(const json_t *result, const char *member)
{
    return json_string_value(json_object_get(result, member));
}

long long probe_result_number(const json_t *result, const char *member)
{
    const json_t *value = json_object_get(result, member);

    return json_is_integer(value) ? (long long)json_integer_value(value) : -1;
}

bool probe_result_truth(const json_t *result, const char *member)
{
    return json_is_true(json_object_get(result, member));
}

bool probe_calls_parse(const json_t *result, struct probe_calls *calls)
{
    const char *letters = probe_result_text(result, "text");

    *calls = (struct probe_calls){0};
    if (!letters || strlen(letters) > PROBE_CALLS_MAX)
        return false;
    for (unsigned i = 0; letters[i]; i++) {
        if (letters[i] == '-')
            continue;
        if (!strchr("skynu", letters[i]) || !syscall_name(i)) {
            *calls = (struct probe_calls){0};
            return false;
        }
        calls->known++;
        calls->stopped += letters[i] == 's' || letters[i] == 'k';
        calls->present += letters[i] == 'y';
        calls->absent += letters[i] == 'n';
        calls->untested += letters[i] == 'u';
    }
    memcpy(calls->letters, letters, strlen(letters) + 1);
    calls->filter_known = !probe_result_text(result, "filter_unknown");
    calls->valid = calls->known > 0;
    return calls->valid;
}
