/* SPDX-License-Identifier: Apache-2.0 */
/* Environment lists by docker's rules: -e, --env-file, and which value wins. */
#include "vmm/oci/environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"

/* Length of the name in "NAME=value" or "NAME". */
static size_t name_length(const char *setting)
{
    return strcspn(setting, "=");
}

static bool same_name(const char *a, const char *b)
{
    size_t length = name_length(a);

    return length == name_length(b) && strncmp(a, b, length) == 0;
}

static char **find_setting(const struct string_list *list, const char *setting)
{
    for (size_t i = 0; i < list->count; i++) {
        if (same_name(list->items[i], setting))
            return &list->items[i];
    }
    return NULL;
}

static const char *find_in(char *const *environment, const char *name)
{
    for (; environment && *environment; environment++) {
        if (same_name(*environment, name))
            return *environment;
    }
    return NULL;
}

bool environment_has(const struct string_list *list, const char *name)
{
    return find_setting(list, name) != NULL;
}

static void remove_setting(struct string_list *list, char **setting)
{
    size_t index = (size_t)(setting - list->items);

    free(*setting);
    memmove(setting, setting + 1, (list->count - index) * sizeof(*setting));
    list->count--;
}

int environment_put(struct string_list *list, const char *setting)
{
    char **existing = find_setting(list, setting);
    char *copy;

    if (!strchr(setting, '=')) {
        if (existing)
            remove_setting(list, existing);
        return 0;
    }
    if (!existing)
        return string_list_add(list, setting);
    copy = strdup(setting);
    if (!copy)
        return -ENOMEM;
    free(*existing);
    *existing = copy;
    return 0;
}

int environment_add_option(struct string_list *environment, const char *option, char *const *client,
                           struct error *err)
{
    const char *setting = option;

    if (name_length(option) == 0)
        return error_set(err, EINVAL, "-e '%s': there is no variable name", option);
    if (!strchr(option, '=')) {
        const char *found = find_in(client, option);

        if (found)
            setting = found;
    }
    if (string_list_add(environment, setting) < 0)
        return error_set_errno(err, ENOMEM, "-e %s", option);
    return 0;
}

static int add_line(struct string_list *environment, const char *path, unsigned number,
                    const char *line, char *const *client, struct error *err)
{
    const char *setting;
    size_t length;

    line += strspn(line, " \t\v\f");
    setting = line;
    length = name_length(line);
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (length == 0)
        return error_set(err, EINVAL, "%s: line %u: there is no variable name", path, number);
    if (strcspn(line, " \t\v\f") < length)
        return error_set(err, EINVAL, "%s: line %u: variable '%.*s' contains white space", path,
                         number, (int)length, line);
    if (line[length] == '\0')
        setting = find_in(client, line);
    if (setting && string_list_add(environment, setting) < 0)
        return error_set_errno(err, ENOMEM, "%s", path);
    return 0;
}

int environment_add_file(struct string_list *environment, const char *path, const char *text,
                         char *const *client, struct error *err)
{
    AUTO_FREE char *copy = strdup(text);
    unsigned number = 0;
    char *rest = copy;
    char *line;

    if (!copy)
        return error_set_errno(err, ENOMEM, "%s", path);
    if (strncmp(rest, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        rest += 3;
    while ((line = strsep(&rest, "\n"))) {
        size_t length = strlen(line);
        int rc;

        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        rc = add_line(environment, path, ++number, line, client, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
