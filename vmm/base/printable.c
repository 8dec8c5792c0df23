/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: text made harmless to a terminal; see printable.h. */
#include "vmm/base/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/utf8.h"

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
        size_t length = utf8_sequence((const char *)at);

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
