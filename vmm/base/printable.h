/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: text of guests, containers and images, made harmless to the terminal of a person. */
#ifndef MICROVM_BASE_PRINTABLE_H
#define MICROVM_BASE_PRINTABLE_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Copies UTF-8 text so that it can be shown, at most `size` bytes with the NUL, without cutting a
 * character: control characters (of ASCII and beyond), what reorders or hides text, and bytes that
 * are no UTF-8 become '?'.
 */
void printable_copy(char *to, size_t size, const char *text);

/* The same in place for lines of ASCII: all but newlines, tabs and what can be seen becomes '?'. */
void printable_lines(char *data, size_t size);

/* The same with text made as printf(3) makes it, of at most 2047 bytes. */
void printable_format(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void printable_vformat(char *to, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif
