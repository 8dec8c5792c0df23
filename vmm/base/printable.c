/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: text made harmless to a terminal; see printable.h. */
#include "vmm/base/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `at` (RFC 3629), by its lead byte; 0 when it is none. */
static size_t sequence_length(const unsigned char *at)
{
    size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

    if (*at > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || /* too long, surrogate */
        (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

/* C1 controls, and what reorders or hides text: U+200B..U+200F, U+2028..U+202E, U+2060..U+206F. */
static bool is_treacherous(const unsigned char *at, size_t length)
{
    if (length == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    return length == 3 && at[0] == 0xe2 &&
           ((at[1] == 0x80 && (at[2] >= 0x8b && at[2] <= 0x8f)) ||
            (at[1] == 0x80 && (at[2] >= 0xa8 && at[2] <= 0xae)) ||
            (at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf));
}

void printable_copy(char *to, size_t size, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;

    while (*at && used + 1 < size) {
        size_t length = sequence_length(at);

        if (length == 0 || *at < ' ' || *at == 0x7f || is_treacherous(at, length)) {
            to[used++] = '?';
        } else {
            if (used + length >= size)
                break;
            memcpy(to + used, at, length);
            used += length;
        }
        at += length ? length : 1;
    }
    to[used] = '\0';
}

void printable_lines(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != '\n' && data[i] != '\t' && (data[i] < ' ' || data[i] > '~'))
            data[i] = '?';
}

void printable_vformat(char *to, size_t size, const char *format, va_list arguments)
{
    char text[2048] = "";

    vsnprintf(text, sizeof(text), format, arguments);
    printable_copy(to, size, text);
}

void printable_format(char *to, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    printable_vformat(to, size, format, arguments);
    va_end(arguments);
}
