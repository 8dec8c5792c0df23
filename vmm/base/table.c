/* SPDX-License-Identifier: Apache-2.0 */
/* Text in aligned columns; see table.h. */
#include "vmm/base/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/utf8.h"

static int grow(struct table *table)
{
    size_t capacity = table->cell_capacity > 0 ? table->cell_capacity * 2 : 32;
    struct table_cell *grown;

    if (table->cell_count < table->cell_capacity)
        return 0;
    grown = reallocarray(table->cells, capacity, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    table->cells = grown;
    table->cell_capacity = capacity;
    return 0;
}

__attribute__((format(printf, 3, 0))) static void add(struct table *table, bool rest,
                                                      const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0 || grow(table) < 0) {
        free(text);
        table->failed = true;
        return;
    }
    table->cells[table->cell_count++] =
        (struct table_cell){.text = text, .column = table->next, .rest = rest};
    table->next = rest || table->next + 1 == table->column_count ? 0 : table->next + 1;
}

void table_add(struct table *table, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(table, false, format, arguments);
    va_end(arguments);
}

void table_add_rest(struct table *table, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(table, true, format, arguments);
    va_end(arguments);
}

void table_end_row(struct table *table)
{
    table->next = 0;
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i].text);
    free(table->cells);
    table->cells = NULL;
    table->cell_count = 0;
    table->cell_capacity = 0;
    table->next = 0;
}

/* Line `number` of a text, without its newline; an empty one beyond the end. */
static const char *line_of(const char *text, size_t number, size_t *size)
{
    for (; number > 0; number--) {
        text = strchrnul(text, '\n');
        text += *text == '\n';
    }
    *size = strcspn(text, "\n");
    return text;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;

    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static void widen(size_t *width, const char *text)
{
    for (size_t lines = count_lines(text), i = 0; i < lines; i++) {
        size_t size;
        const char *line = line_of(text, i, &size);
        size_t needed = utf8_width(line, size);

        if (needed > *width)
            *width = needed;
    }
}

static bool find_widths(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
    bool named = false;

    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = table->columns[i].width;
        if (!table->columns[i].name)
            continue;
        named = true;
        widen(&widths[i], table->columns[i].name);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        if (!table->cells[i].rest)
            widen(&widths[table->cells[i].column], table->cells[i].text);
    }
    return named;
}

/* How far a line of output is. */
struct position {
    FILE *out;
    size_t at;
};

/* Blanks are only written before text, so that no line ends in blanks. */
static void write_at(struct position *position, size_t start, const char *text, size_t size)
{
    if (size == 0)
        return;
    for (; position->at < start; position->at++)
        fputc(' ', position->out);
    fwrite(text, 1, size, position->out);
    position->at += utf8_width(text, size);
}

static void write_line(const struct table *table, const size_t *widths,
                       const struct table_cell *cells, size_t count, size_t number, FILE *out)
{
    struct position position = {.out = out};
    size_t start = 0;
    size_t column = 0;

    for (size_t i = 0; i < count; i++) {
        size_t size;
        const char *text = line_of(cells[i].text, number, &size);
        size_t indent = 0;

        for (; column < cells[i].column; column++)
            start += widths[column] + table->gap;
        if (table->columns[column].alignment == TABLE_RIGHT && !cells[i].rest)
            indent = widths[column] - utf8_width(text, size);
        write_at(&position, start + indent, text, size);
    }
    fputc('\n', out);
}

static void write_row(const struct table *table, const size_t *widths,
                      const struct table_cell *cells, size_t count, FILE *out)
{
    size_t lines = 1;

    for (size_t i = 0; i < count; i++) {
        size_t needed = count_lines(cells[i].text);

        if (needed > lines)
            lines = needed;
    }
    for (size_t i = 0; i < lines; i++)
        write_line(table, widths, cells, count, i, out);
}

static void write_heading(const struct table *table, const size_t *widths, FILE *out)
{
    struct position position = {.out = out};
    size_t start = 0;

    for (size_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name ? table->columns[i].name : "";
        size_t size = strlen(name);
        size_t indent =
            table->columns[i].alignment == TABLE_RIGHT ? widths[i] - utf8_width(name, size) : 0;

        write_at(&position, start + indent, name, size);
        start += widths[i] + table->gap;
    }
    fputc('\n', out);
}

int table_write(const struct table *table, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    if (find_widths(table, widths))
        write_heading(table, widths, out);
    for (size_t i = 0; i < table->cell_count;) {
        size_t count = 1;

        while (i + count < table->cell_count && table->cells[i + count].column > 0)
            count++;
        write_row(table, widths, &table->cells[i], count, out);
        i += count;
    }
    if (!table->failed)
        return 0;
    fputs("(incomplete: out of memory)\n", out);
    return -ENOMEM;
}

/* Bytes of `text` that fill at most `width` cells; at least one character. */
static size_t fit(const char *text, size_t width)
{
    size_t left = strlen(text);
    size_t size = 0;

    while (size < left) {
        uint32_t codepoint;
        size_t length = utf8_decode(text + size, left - size, &codepoint);

        length = length > 0 ? length : 1;
        if (size > 0 && utf8_width(text, size + length) > width)
            break;
        size += length;
    }
    return size;
}

char *table_wrap(const char *text, size_t width)
{
    /* Each character may get a line of its own. */
    char *wrapped = malloc(2 * strlen(text) + 1);
    char *to = wrapped;

    if (!wrapped)
        return NULL;
    while (*text) {
        size_t size = fit(text, width);
        size_t word = size;

        while (text[size] && text[size] != ' ' && word > 0 && text[word - 1] != ' ')
            word--;
        if (word > 0)
            size = word;
        to = mempcpy(to, text, size);
        text += size;
        text += strspn(text, " ");
        while (to > wrapped && to[-1] == ' ')
            to--;
        if (*text)
            *to++ = '\n';
    }
    *to = '\0';
    return wrapped;
}
