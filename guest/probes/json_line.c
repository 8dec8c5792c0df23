/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object a line (RFC 8259); see json_line.h. */
#include "guest/probes/json_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_MAX 4096
#define END_SIZE   2 /* "}\n", for which there is always room */
#define ESCAPE_MAX 6 /* a byte as \u00XX */

static size_t room(const struct json_line *line)
{
    return sizeof(line->bytes) - END_SIZE - line->size;
}

static void add(struct json_line *line, const char *bytes, size_t size)
{
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

/* Begins a member if at least `value_size` bytes of a value fit behind its name. */
static bool add_name(struct json_line *line, const char *name, size_t value_size)
{
    size_t length = strlen(name);

    if (room(line) < length + 4 + value_size)
        return false;
    if (line->size > 1)
        add(line, ",", 1);
    add(line, "\"", 1);
    add(line, name, length);
    add(line, "\":", 2);
    return true;
}

/* Bytes of the UTF-8 sequence at `at`; 0 if it is not one (RFC 3629). */
static size_t utf8_length(const unsigned char *at)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

void json_begin(struct json_line *line)
{
    line->bytes[0] = '{';
    line->size = 1;
}

void json_text(struct json_line *line, const char *name, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;

    if (!add_name(line, name, 2))
        return;
    add(line, "\"", 1);
    while (*at && room(line) > ESCAPE_MAX) {
        size_t length = utf8_length(at);
        char escaped[ESCAPE_MAX + 1];

        if (length == 0) {
            add(line, "\\ufffd", ESCAPE_MAX);
            length = 1;
        } else if (*at < ' ' || *at == 0x7f || *at == '"' || *at == '\\') {
            snprintf(escaped, sizeof(escaped), "\\u%04x", *at);
            add(line, escaped, ESCAPE_MAX);
        } else {
            add(line, (const char *)at, length);
        }
        at += length;
    }
    add(line, "\"", 1);
}

void json_format(struct json_line *line, const char *name, const char *format, ...)
{
    char text[FORMAT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_text(line, name, text);
}

void json_number(struct json_line *line, const char *name, int64_t value)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, value);

    if (add_name(line, name, (size_t)size))
        add(line, text, (size_t)size);
}

void json_boolean(struct json_line *line, const char *name, bool value)
{
    const char *text = value ? "true" : "false";

    if (add_name(line, name, strlen(text)))
        add(line, text, strlen(text));
}

int json_end(struct json_line *line)
{
    size_t written = 0;

    add(line, "}\n", END_SIZE);
    while (written < line->size) {
        ssize_t count = write(STDOUT_FILENO, line->bytes + written, line->size - written);

        if (count < 0)
            return -1;
        written += (size_t)count;
    }
    return 0;
}
