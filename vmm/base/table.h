/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in aligned columns.
 *
 * Cells are collected first, and written when all widths are known. A column is as wide as its
 * widest cell, counted in cells of a terminal (utf8_width()). No line ends in blanks.
 *
 * A cell may hold several lines; the row is then as high as its highest cell. The caller makes the
 * text of a cell safe to show (text.h).
 */
#ifndef MICROVM_BASE_TABLE_H
#define MICROVM_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_alignment { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *name; /* in the heading; when no column has one, there is no heading */
    enum table_alignment alignment;
    size_t width; /* at least */
};

#define TABLE_COLUMNS_MAX 16

struct table_cell {
    char *text;
    size_t column;
    bool rest; /* spans all following columns, and widens none */
};

/* The columns are borrowed. All other members start as zero and are private. */
struct table {
    const struct table_column *columns;
    size_t column_count; /* at most TABLE_COLUMNS_MAX */
    size_t gap;          /* blanks between two columns */
    struct table_cell *cells;
    size_t cell_count, cell_capacity;
    size_t next; /* column of the next cell */
    bool failed; /* out of memory: a cell is lost */
};

#define AUTO_TABLE __attribute__((cleanup(table_release)))

/* Adds the next cell of the row. The cell in the last column ends the row. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a cell that spans the rest of the row: in an empty row, a line across the table. */
void table_add_rest(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends a row whose last cells are empty. No effect on an empty row. */
void table_end_row(struct table *table);

/* Writes all rows. Errors: ENOMEM (a cell is lost; the output says so, too). */
int table_write(const struct table *table, FILE *out);

void table_release(struct table *table);

/*
 * Breaks a text into lines of at most `width` (> 0) cells of a terminal: between words, or within a
 * word that is longer than a line. The caller frees it. NULL: out of memory.
 */
char *table_wrap(const char *text, size_t width);

#endif
