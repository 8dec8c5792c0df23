/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON object a line on standard output, the only output of these programs.
 *
 * A line is built in memory and written by one write(2). What does not fit is cut: text at its end,
 * other members as a whole; the line stays valid JSON.
 */
#ifndef MICROVM_GUEST_PROBES_JSON_LINE_H
#define MICROVM_GUEST_PROBES_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_LINE_MAX 16384 /* bytes, the newline among them */

struct json_line {
    char bytes[JSON_LINE_MAX];
    size_t size;
};

void json_begin(struct json_line *line);

/* Members. `name` is a literal that needs no escaping. */
void json_text(struct json_line *line, const char *name, const char *value);
void json_format(struct json_line *line, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void json_number(struct json_line *line, const char *name, int64_t value);
void json_boolean(struct json_line *line, const char *name, bool value);

/* Closes the object and writes the line; 0 or -1 with errno. */
int json_end(struct json_line *line);

#endif
