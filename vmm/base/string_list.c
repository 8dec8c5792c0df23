/* SPDX-License-Identifier: Apache-2.0 */
/* The list of owned strings; see string_list.h. */
#include "vmm/base/string_list.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes over `text`, which may be null after a failed allocation. */
static int append_owned(struct string_list *list, char *text)
{
    char **items;

    if (!text)
        return -ENOMEM;
    items = reallocarray(list->items, list->count + 2, sizeof(*items));
    if (!items) {
        free(text);
        return -ENOMEM;
    }
    items[list->count++] = text;
    items[list->count] = NULL;
    list->items = items;
    return 0;
}

int string_list_add(struct string_list *list, const char *text)
{
    return append_owned(list, strdup(text));
}

int string_list_add_format(struct string_list *list, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int size;

    va_start(args, format);
    size = vasprintf(&text, format, args);
    va_end(args);
    return append_owned(list, size < 0 ? NULL : text);
}

int string_list_add_all(struct string_list *list, const struct string_list *more)
{
    for (size_t i = 0; i < more->count; i++) {
        if (string_list_add(list, more->items[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

void string_list_remove_prefix(struct string_list *list, const char *prefix)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], prefix, strlen(prefix)) == 0)
            free(list->items[i]);
        else
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
    if (list->items)
        list->items[kept] = NULL;
}

void string_list_release(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    list->items = NULL;
    list->count = 0;
}
