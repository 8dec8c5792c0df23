/* SPDX-License-Identifier: Apache-2.0 */
/* A growing list of owned strings; its array always ends with a null pointer, as execve(2)
 * needs. */
#ifndef MICROVM_BASE_STRING_LIST_H
#define MICROVM_BASE_STRING_LIST_H

#include <stddef.h>

struct string_list {
    char **items; /* null while empty, else `count` strings and a null pointer */
    size_t count;
};

#define AUTO_STRING_LIST __attribute__((cleanup(string_list_release)))

/* Appends a copy of `text`. Returns 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *text);

/* Appends the formatted text. Returns 0 or -ENOMEM. */
int string_list_add_format(struct string_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends copies of all strings of `more`. Returns 0 or -ENOMEM. */
int string_list_add_all(struct string_list *list, const struct string_list *more);

/* Removes the strings that begin with `prefix`. */
void string_list_remove_prefix(struct string_list *list, const char *prefix);

/* Frees the strings and leaves an empty list. */
void string_list_release(struct string_list *list);

#endif
