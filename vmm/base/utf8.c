/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8; see utf8.h. */
#include "vmm/base/utf8.h"

#include <errno.h>
#include <string.h>

size_t utf8_decode(const char *data, size_t size, uint32_t *codepoint)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of a sequence that long */
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
