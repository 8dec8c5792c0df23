/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8; see utf8.h. */
#include "vmm/base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/base/bytes.h"

size_t utf8_decode(const char *data, size_t size, uint32_t *codepoint)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of a sequence of that length */
    const unsigned char *at = (const unsigned char *)data;
    size_t length = *at < 0x80 ? 1 : *at < 0xc0 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t value = length > 1 ? *at & (0x7fU >> length) : *at;

    if (length == 0 || length > size || *at > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *codepoint = value;
    return length;
}

struct range {
    uint32_t first, last;
};

static bool is_in(uint32_t codepoint, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (codepoint >= ranges[i].first && codepoint <= ranges[i].last)
            return true;
    }
    return false;
}

static size_t width_of(uint32_t codepoint)
{
    /* Combining marks of several scripts, variation selectors; the joiners of emoji. */
    static const struct range combining[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x64b, 0x65f},
        {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0x302a, 0x302f},
        {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
    };
    /* East_Asian_Width W and F, in blocks. */
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},
        {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
        {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
        {0x20000, 0x3fffd},
    };

    if (codepoint < 0x300)
        return 1;
    if (is_in(codepoint, combining, ARRAY_LENGTH(combining)))
        return 0;
    return is_in(codepoint, wide, ARRAY_LENGTH(wide)) ? 2 : 1;
}

size_t utf8_width(const char *data, size_t size)
{
    size_t width = 0;

    for (size_t at = 0; at < size;) {
        uint32_t codepoint = 0;
        size_t length = utf8_decode(data + at, size - at, &codepoint);

        width += width_of(codepoint);
        at += length > 0 ? length : 1;
    }
    return width;
}

int utf8_check(const char *text, const char *what, struct error *err)
{
    const char *end = text ? text + strlen(text) : NULL;
    uint32_t codepoint;

    for (const char *at = text; at < end;) {
        size_t length = utf8_decode(at, (size_t)(end - at), &codepoint);

        if (length == 0)
            return error_set(err, EILSEQ,
                             "%s: byte 0x%02x at offset %zu of '%.200s' is not UTF-8, the only "
                             "encoding that can be passed on",
                             what, (unsigned char)*at, (size_t)(at - text), text);
        at += length;
    }
    return 0;
}
