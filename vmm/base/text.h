/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one sanitizer: all text of guests, containers, images and users passes it before a terminal,
 * the log or a report shows it.
 *
 * Kept: every character of valid UTF-8 (utf8.h) that does not control the terminal.
 * Replaced by one '?' each:
 * - control characters: C0 with newline and tab, DEL, and C1 (U+0080..U+009F), which some terminals
 *   interpret in UTF-8, too;
 * - format characters, Unicode's category Cf (what reorders text, such as U+202E, hides, such as
 *   U+200B, or tags), and the line and paragraph separators U+2028 and U+2029;
 * - noncharacters such as U+FFFE;
 * - each byte that is not part of valid UTF-8: of a cut, overlong or surrogate sequence every byte.
 *
 * Texts of several lines, and texts that must be ASCII, have functions of their own.
 */
#ifndef MICROVM_BASE_TEXT_H
#define MICROVM_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_CHARACTER_SIZE 5   /* of UTF-8, with a NUL */
#define TEXT_NAME_SIZE      256 /* room for the part of a name that a message quotes */

/* Whether the policy keeps a codepoint. */
bool text_is_safe(uint32_t codepoint);

/*
 * Reads one character from the bytes at *data, which end before `end` (*data < end), and moves
 * *data past it. `character` is what to show for it. Returns the bytes of `character`, 1 to 4.
 */
size_t text_next(const char **data, const char *end, char character[TEXT_CHARACTER_SIZE]);

/*
 * One line to show of a text, or of `count` bytes, at most `size` bytes with the NUL; `size` > 0.
 * Never ends within a character; what does not fit ends in "...". Returns `to`.
 */
const char *text_copy(char *to, size_t size, const char *text);
const char *text_copy_bytes(char *to, size_t size, const void *data, size_t count);

/* Same as text_copy(), of text formatted as by printf(3), at most 2047 bytes. */
void text_format(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void text_vformat(char *to, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Same as text_copy() for ASCII output: each character beyond ASCII becomes '?', too. */
const char *text_copy_ascii(char *to, size_t size, const char *text);

/*
 * Cleans several lines in place. The data may come in pieces of any size, so a piece may end within
 * a character: only ASCII, newlines and tabs are kept, and every other byte becomes '?'.
 */
void text_clean_lines(char *data, size_t size);

#endif
