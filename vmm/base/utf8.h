/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629), strictly: nothing overlong, no surrogates, nothing beyond U+10FFFF. */
#ifndef MICROVM_BASE_UTF8_H
#define MICROVM_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

/* Bytes of the sequence that begins the `size` (> 0) bytes at `data`, and its codepoint; 0 if it is
 * not UTF-8, or incomplete. */
size_t utf8_decode(const char *data, size_t size, uint32_t *codepoint);

/*
 * Cells of a terminal that `size` bytes take: none for a character that combines with the one
 * before it, two for wide ones of East Asia and emoji, else one; one for each byte that is not
 * UTF-8. wcwidth(3) knows more, but needs a locale, and microvm sets none.
 */
size_t utf8_width(const char *data, size_t size);

/*
 * Checks a text that will be written as JSON, which can only carry UTF-8. `what` names it in the
 * message. Null is allowed. Errors: EILSEQ.
 */
int utf8_check(const char *text, const char *what, struct error *err);

#endif
