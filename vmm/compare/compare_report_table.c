/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A comparison as a table for a terminal. Each cell has two lines: the median and how it
 * compares, below it the spread. Where the sandboxes do not fit side by side they stand below one
 * another.
 */
#include <ctype.h>
#include <string.h>

#include "vmm/base/text.h"
#include "vmm/compare/compare_report.h"

#define LABEL_WIDTH  32
#define CELL_WIDTH   31
#define SPREAD_WIDTH 30
#define NAME_WIDTH   10 /* of a sandbox, where they stand below one another */
#define LINE_SIZE    320

struct table {
    const struct report *report;
    unsigned columns;
    bool wide;
    bool utf8;
    FILE *out;
};

/* Cells of a terminal that text of ours takes: a sequence of UTF-8 is one. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void pad(const struct table *table, unsigned from, unsigned to)
{
    for (; from < to; from++)
        fputc(' ', table->out);
}

/* What a person typed, an image is called, or was said inside. */
static void write_text(const struct table *table, const char *text)
{
    const char *end = text + strlen(text);
    char character[TEXT_CHARACTER_SIZE];

    while (text < end) {
        bool ascii = text_next(&text, end, character) == 1;

        fputs(ascii || table->utf8 ? character : "?", table->out);
    }
}

/* Breaks a text between words; the lines after the first are indented. */
static void write_wrapped(const struct table *table, const char *text, unsigned indent)
{
    unsigned used = indent;

    while (*text) {
        size_t length = strcspn(text, " ");
        char word[LINE_SIZE];

        snprintf(word, sizeof(word), "%.*s", (int)length, text);
        if (used > indent && used + 1 + width_of(word) > table->columns) {
            fputc('\n', table->out);
            pad(table, 0, indent);
            used = indent;
        } else if (used > indent) {
            fputc(' ', table->out);
            used++;
        }
        write_text(table, word);
        used += width_of(word);
        text += length + (text[length] == ' ');
    }
    fputc('\n', table->out);
}

/* First line of a cell: "1.52 s  33.7x". */
static void format_value(const struct table *table, const struct report_row *row, size_t sandbox,
                         char line[LINE_SIZE])
{
    const struct report_cell *cell = &row->cells[sandbox];
    char number[REPORT_NUMBER_SIZE];
    char ratio[REPORT_NUMBER_SIZE];
    const char *times = table->utf8 ? "\u00d7" : "x";

    if (cell->verdict == REPORT_NO_VALUES) {
        snprintf(line, LINE_SIZE, "%s", cell->note);
        return;
    }
    report_format_number(cell->summary.median, cell->summary.median, row->unit, table->utf8,
                         number);
    report_format_ratio(cell->ratio, ratio);
    if (cell->verdict == REPORT_DIFFERENT)
        snprintf(line, LINE_SIZE, "%s  %s%s", number, ratio, times);
    else if (cell->verdict == REPORT_SAME || cell->verdict == REPORT_TOO_FEW)
        snprintf(line, LINE_SIZE, "%s  %s", number, report_verdict_name(cell->verdict));
    else
        snprintf(line, LINE_SIZE, "%s", number);
}

/* Second line: "1.49 [1.50 1.58] 1.61 s". */
static void format_spread(const struct table *table, const struct report_row *row, size_t sandbox,
                          char line[LINE_SIZE])
{
    const struct statistics *summary = &row->cells[sandbox].summary;
    char minimum[REPORT_NUMBER_SIZE];
    char quartile1[REPORT_NUMBER_SIZE];
    char quartile3[REPORT_NUMBER_SIZE];
    char maximum[REPORT_NUMBER_SIZE];

    line[0] = '\0';
    if (summary->count < 2)
        return;
    report_format_bare(summary->minimum, summary->median, row->unit, minimum);
    report_format_bare(summary->quartile1, summary->median, row->unit, quartile1);
    report_format_bare(summary->quartile3, summary->median, row->unit, quartile3);
    report_format_number(summary->maximum, summary->median, row->unit, table->utf8, maximum);
    snprintf(line, LINE_SIZE, "%s [%s %s] %s", minimum, quartile1, quartile3, maximum);
}

/* Reasons are sentences: side by side there is room for their beginning, the rest stands below. */
static void write_cell(const struct table *table, const char *line, bool last)
{
    char shown[CELL_WIDTH * 4];

    snprintf(shown, sizeof(shown), "%s", line);
    if (width_of(shown) >= CELL_WIDTH && strlen(shown) >= CELL_WIDTH)
        snprintf(shown + CELL_WIDTH - 4, sizeof(shown) - CELL_WIDTH + 4, "...");
    write_text(table, shown);
    if (!last)
        pad(table, width_of(shown), CELL_WIDTH);
}

static void write_wide_row(const struct table *table, const struct report_row *row)
{
    size_t sandboxes = table->report->sandbox_count;
    char line[LINE_SIZE];
    bool spread = false;

    fprintf(table->out, "  %-*s", LABEL_WIDTH - 2, row->label);
    for (size_t i = 0; i < sandboxes; i++) {
        format_value(table, row, i, line);
        write_cell(table, line, i + 1 == sandboxes);
        spread = spread || row->cells[i].count > 1;
    }
    fputc('\n', table->out);
    if (!spread)
        return;
    pad(table, 0, LABEL_WIDTH);
    for (size_t i = 0; i < sandboxes; i++) {
        format_spread(table, row, i, line);
        write_cell(table, line, i + 1 == sandboxes);
    }
    fputc('\n', table->out);
}

/* One sandbox a line: median, comparison, spread. */
static void write_narrow_row(const struct table *table, const struct report_row *row)
{
    fprintf(table->out, "  %s\n", row->label);
    for (size_t i = 0; i < table->report->sandbox_count; i++) {
        char line[LINE_SIZE];

        format_value(table, row, i, line);
        fprintf(table->out, "    %-*s", NAME_WIDTH, table->report->sandboxes[i].kind->title);
        if (row->cells[i].count < 2) {
            write_wrapped(table, line, 4 + NAME_WIDTH);
            continue;
        }
        fputs(line, table->out);
        if (4 + NAME_WIDTH + CELL_WIDTH + SPREAD_WIDTH > table->columns) {
            fputc('\n', table->out);
            pad(table, 0, 4 + NAME_WIDTH);
        } else {
            pad(table, width_of(line), CELL_WIDTH);
        }
        format_spread(table, row, i, line);
        fprintf(table->out, "%s\n", line);
    }
}

static void write_title(const struct table *table)
{
    const struct report *report = table->report;

    write_text(table, report->image);
    for (size_t i = 0; i < report->command.count; i++) {
        fputc(' ', table->out);
        write_text(table, report->command.items[i]);
    }
    fprintf(table->out, "\n%u runs warm and %u cold under each isolation, interleaved",
            report->runs, report->runs);
    fprintf(table->out, "; %s\n", report->host);
    fprintf(table->out, "%s each median: least [quartiles] most.\n",
            table->wide ? "Below" : "Behind");
}

static void write_heading(const struct table *table, const char *group)
{
    fprintf(table->out, "\n%-*s", table->wide ? LABEL_WIDTH : 0, group);
    for (size_t i = 0; i < table->report->sandbox_count && table->wide; i++)
        write_cell(table, table->report->sandboxes[i].kind->title,
                   i + 1 == table->report->sandbox_count);
    fputc('\n', table->out);
}

/* A reason that did not fit; not when a row above has told the same. */
static void write_reason(const struct table *table, size_t row, size_t sandbox)
{
    const struct report *report = table->report;
    const struct report_row *rows = report->rows;
    const char *note = rows[row].cells[sandbox].note;
    char line[LINE_SIZE + REPORT_NOTE_SIZE];

    if (rows[row].cells[sandbox].count > 0 || width_of(note) < CELL_WIDTH)
        return;
    for (size_t i = 0; i < row; i++) {
        if (strcmp(rows[i].label, rows[row].label) == 0 &&
            strcmp(rows[i].cells[sandbox].note, note) == 0)
            return;
    }
    snprintf(line, sizeof(line), "%s, %s: %s", rows[row].label,
             report->sandboxes[sandbox].kind->title, note);
    fputs("- ", table->out);
    write_wrapped(table, line, 2);
}

static void write_notes(const struct table *table)
{
    const struct report *report = table->report;

    fputc('\n', table->out);
    for (size_t i = 0; i < report->notes.count; i++) {
        fputs("- ", table->out);
        write_wrapped(table, report->notes.items[i], 2);
    }
    for (size_t i = 0; i < report->row_count && table->wide; i++) {
        for (size_t j = 0; j < report->sandbox_count; j++)
            write_reason(table, i, j);
    }
}

void report_write_table(const struct report *report, unsigned columns, bool utf8, FILE *out)
{
    const struct table table = {
        .report = report,
        .columns = columns,
        .wide = LABEL_WIDTH + report->sandbox_count * CELL_WIDTH <= columns + 1,
        .utf8 = utf8,
        .out = out,
    };
    const char *group = "";

    write_title(&table);
    for (size_t i = 0; i < report->row_count; i++) {
        if (strcmp(report->rows[i].group, group) != 0) {
            group = report->rows[i].group;
            write_heading(&table, group);
        }
        if (table.wide)
            write_wide_row(&table, &report->rows[i]);
        else
            write_narrow_row(&table, &report->rows[i]);
    }
    write_notes(&table);
}
