/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is safe to show; see text.h for the policy. */
#include "vmm/base/text.h"

#include <stdio.h>
#include <string.h>

#include "vmm/base/utf8.h"

#define ELLIPSIS      "..."
#define ELLIPSIS_SIZE sizeof(ELLIPSIS)

/* Unicode 15: Cc beyond ASCII, Cf, Zl, Zp, and the noncharacters of the first plane. */
static const struct {
    uint32_t first, last;
} unsafe[] = {
    {0x80, 0x9f},       {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
    {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
    {0x180e, 0x180e},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},
    {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110bd},
    {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe007f},
};

bool text_is_safe(uint32_t codepoint)
{
    if (codepoint < 0x80)
        return codepoint >= ' ' && codepoint != 0x7f;
    if ((codepoint & 0xfffe) == 0xfffe) /* the last two of each plane are noncharacters */
        return false;
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
        if (codepoint >= unsafe[i].first && codepoint <= unsafe[i].last)
            return false;
    return true;
}

size_t text_next(const char **data, const char *end, char character[TEXT_CHARACTER_SIZE])
{
    uint32_t codepoint;
    size_t length = utf8_decode(*data, (size_t)(end - *data), &codepoint);
    const char *at = *data;

    *data += length ? length : 1;
    if (length == 0 || !text_is_safe(codepoint)) {
        at = "?";
        length = 1;
    }
    memcpy(character, at, length);
    character[length] = '\0';
    return length;
}

static const char *copy(char *to, size_t size, const char *data, size_t count, bool ascii)
{
    const char *end = data + count;
    char character[TEXT_CHARACTER_SIZE];
    size_t used = 0;
    size_t cut = 0; /* where an ellipsis fits behind whole characters */

    while (data < end) {
        size_t length = text_next(&data, end, character);

        if (ascii && length > 1) {
            character[0] = '?';
            length = 1;
        }
        if (used + length >= size) {
            if (size >= ELLIPSIS_SIZE)
                memcpy(to + cut, ELLIPSIS, ELLIPSIS_SIZE);
            else
                to[used] = '\0';
            return to;
        }
        memcpy(to + used, character, length);
        used += length;
        if (used + ELLIPSIS_SIZE <= size)
            cut = used;
    }
    to[used] = '\0';
    return to;
}

const char *text_copy(char *to, size_t size, const char *text)
{
    return copy(to, size, text, strlen(text), false);
}

const char *text_copy_bytes(char *to, size_t size, const void *data, size_t count)
{
    return copy(to, size, data, count, false);
}

const char *text_copy_ascii(char *to, size_t size, const char *text)
{
    return copy(to, size, text, strlen(text), true);
}

void text_vformat(char *to, size_t size, const char *format, va_list arguments)
{
    char text[2048] = "";

    vsnprintf(text, sizeof(text), format, arguments);
    text_copy(to, size, text);
}

void text_format(char *to, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text_vformat(to, size, format, arguments);
    va_end(arguments);
}

void text_clean_lines(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != '\n' && data[i] != '\t' && (data[i] < ' ' || data[i] > '~'))
            data[i] = '?';
}
