/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8; see utf8.h. */
#include "vmm/base/utf8.h"

#include <errno.h>

size_t utf8_sequence(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
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

int utf8_check(const char *text, const char *what, struct error *err)
{
    for (const char *at = text; at && *at;) {
        size_t length = utf8_sequence(at);

        if (length == 0)
            return error_set(err, EILSEQ,
                             "%s: byte 0x%02x at offset %zu of '%.200s' is not UTF-8, the only "
                             "encoding that can be passed on",
                             what, (unsigned char)*at, (size_t)(at - text), text);
        at += length;
    }
    return 0;
}
