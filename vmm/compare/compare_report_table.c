/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A comparison as a table for a terminal. Each cell has two lines: the median with its ratio to the
 * baseline, below it the spread. If the sandboxes do not fit side by side, each gets a line.
 */
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/table.h"
#include "vmm/base/text.h"
#include "vmm/compare/compare_report.h"

#define LABEL_WIDTH  31
#define CELL_WIDTH   30
#define GAP          1
#define NAME_WIDTH   13 /* of a sandbox with its indent, when each gets a line */
#define VALUE_COLUMN (NAME_WIDTH + GAP)
#define LINE_SIZE    320
#define ITEM_SIZE    1024

struct page {
    const struct report *report;
    unsigned columns;
    bool wide;
    bool utf8;
    FILE *out;
};

/* Text of the user, of an image or from inside a sandbox. */
static void clean(const struct page *page, char *to, size_t size, const char *text)
{
    if (page->utf8)
        text_copy(to, size, text);
    else
        text_copy_ascii(to, size, text);
}

static void write_text(const struct page *page, const char *text)
{
    const char *end = text + strlen(text);
    char character[TEXT_CHARACTER_SIZE];

    while (text < end) {
        bool ascii = text_next(&text, end, character) == 1;

        fputs(ascii || page->utf8 ? character : "?", page->out);
    }
}

/* The rest of a row, broken between words; it begins at `column`. */
static void add_wrapped(struct table *table, const struct page *page, size_t column,
                        const char *text)
{
    char shown[ITEM_SIZE];
    AUTO_FREE char *wrapped = NULL;

    clean(page, shown, sizeof(shown), text);
    wrapped = table_wrap(shown, page->columns - column);
    table_add_rest(table, "%s", wrapped ? wrapped : shown);
}

/* First line of a cell: "1.52 s  33.7x". */
static void format_value(const struct page *page, const struct report_row *row, size_t sandbox,
                         char line[LINE_SIZE])
{
    const struct report_cell *cell = &row->cells[sandbox];
    char number[REPORT_NUMBER_SIZE];
    char ratio[REPORT_NUMBER_SIZE];
    const char *times = page->utf8 ? "\u00d7" : "x";

    if (cell->verdict == REPORT_NO_VALUES) {
        snprintf(line, LINE_SIZE, "%s", cell->note);
        return;
    }
    report_format_number(cell->summary.median, cell->summary.median, row->unit, page->utf8, number);
    report_format_ratio(cell->ratio, ratio);
    if (cell->verdict == REPORT_DIFFERENT)
        snprintf(line, LINE_SIZE, "%s  %s%s", number, ratio, times);
    else if (cell->verdict == REPORT_SAME || cell->verdict == REPORT_TOO_FEW)
        snprintf(line, LINE_SIZE, "%s  %s", number, report_verdict_name(cell->verdict));
    else
        snprintf(line, LINE_SIZE, "%s", number);
}

/* Second line: "1.49 [1.50 1.58] 1.61 s". */
static void format_spread(const struct page *page, const struct report_row *row, size_t sandbox,
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
    report_format_number(summary->maximum, summary->median, row->unit, page->utf8, maximum);
    snprintf(line, LINE_SIZE, "%s [%s %s] %s", minimum, quartile1, quartile3, maximum);
}

/* One line of a cell. A reason may be longer: the cell shows its beginning, a note all of it. */
static void shorten(const struct page *page, char line[LINE_SIZE])
{
    char whole[LINE_SIZE];

    snprintf(whole, sizeof(whole), "%s", line);
    clean(page, line, CELL_WIDTH + 1, whole);
}

/* The sandboxes side by side; each cell has its value above its spread. */
static void write_wide_group(const struct page *page, size_t first, size_t end)
{
    const struct report *report = page->report;
    struct table_column columns[1 + SANDBOX_COUNT] = {
        {report->rows[first].group, TABLE_LEFT, LABEL_WIDTH}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = 1 + report->sandbox_count, .gap = GAP};

    for (size_t i = 0; i < report->sandbox_count; i++)
        columns[1 + i] =
            (struct table_column){report->sandboxes[i].kind->title, TABLE_LEFT, CELL_WIDTH};
    for (size_t i = first; i < end; i++) {
        table_add(&table, "  %s", report->rows[i].label);
        for (size_t j = 0; j < report->sandbox_count; j++) {
            char value[LINE_SIZE];
            char spread[LINE_SIZE];

            format_value(page, &report->rows[i], j, value);
            shorten(page, value);
            format_spread(page, &report->rows[i], j, spread);
            table_add(&table, "%s%s%s", value, *spread ? "\n" : "", spread);
        }
    }
    fputc('\n', page->out);
    (void)table_write(&table, page->out); /* the output shows a failure */
}

/* One sandbox a line: value and spread, on two lines if one is too short. */
static void write_narrow_group(const struct page *page, size_t first, size_t end)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_LEFT, NAME_WIDTH}, {NULL, TABLE_LEFT, CELL_WIDTH}, {NULL, TABLE_LEFT, 0}};
    const bool one_line = VALUE_COLUMN + CELL_WIDTH + GAP + CELL_WIDTH <= page->columns;
    const struct report *report = page->report;
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = GAP};

    table_add_rest(&table, "\n%s", report->rows[first].group);
    for (size_t i = first; i < end; i++) {
        table_add_rest(&table, "  %s", report->rows[i].label);
        for (size_t j = 0; j < report->sandbox_count; j++) {
            char value[LINE_SIZE];
            char spread[LINE_SIZE];

            format_value(page, &report->rows[i], j, value);
            format_spread(page, &report->rows[i], j, spread);
            table_add(&table, "    %s", report->sandboxes[j].kind->title);
            if (!*spread) {
                add_wrapped(&table, page, VALUE_COLUMN, value);
            } else if (one_line) {
                table_add(&table, "%s", value);
                table_add(&table, "%s", spread);
            } else {
                table_add_rest(&table, "%s\n%s", value, spread);
            }
        }
    }
    (void)table_write(&table, page->out); /* the output shows a failure */
}

static void write_title(const struct page *page)
{
    const struct report *report = page->report;

    write_text(page, report->image);
    for (size_t i = 0; i < report->command.count; i++) {
        fputc(' ', page->out);
        write_text(page, report->command.items[i]);
    }
    fprintf(page->out, "\n%u runs warm and %u cold under each isolation, interleaved", report->runs,
            report->runs);
    fprintf(page->out, "; %s\n", report->host);
    fprintf(page->out, "%s each median: minimum [quartiles] maximum.\n",
            page->wide ? "Below" : "After");
}

/* A reason that did not fit, once for rows of the same label. */
static void add_reason(struct table *list, const struct page *page, size_t row, size_t sandbox)
{
    const struct report *report = page->report;
    const struct report_row *rows = report->rows;
    const char *note = rows[row].cells[sandbox].note;
    char line[ITEM_SIZE];

    if (rows[row].cells[sandbox].count > 0 || strlen(note) <= CELL_WIDTH)
        return;
    for (size_t i = 0; i < row; i++) {
        if (strcmp(rows[i].label, rows[row].label) == 0 &&
            strcmp(rows[i].cells[sandbox].note, note) == 0)
            return;
    }
    snprintf(line, sizeof(line), "%s, %s: %s", rows[row].label,
             report->sandboxes[sandbox].kind->title, note);
    table_add(list, "-");
    add_wrapped(list, page, 2, line);
}

static void write_notes(const struct page *page)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT, 1}, {NULL, TABLE_LEFT, 0}};
    const struct report *report = page->report;
    AUTO_TABLE struct table list = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    for (size_t i = 0; i < report->notes.count; i++) {
        table_add(&list, "-");
        add_wrapped(&list, page, 2, report->notes.items[i]);
    }
    for (size_t i = 0; i < report->row_count && page->wide; i++) {
        for (size_t j = 0; j < report->sandbox_count; j++)
            add_reason(&list, page, i, j);
    }
    fputc('\n', page->out);
    (void)table_write(&list, page->out); /* the output shows a failure */
}

void report_write_table(const struct report *report, unsigned columns, bool utf8, FILE *out)
{
    const struct page page = {
        .report = report,
        .columns = columns,
        .wide = LABEL_WIDTH + report->sandbox_count * (GAP + CELL_WIDTH) <= columns,
        .utf8 = utf8,
        .out = out,
    };

    write_title(&page);
    for (size_t first = 0; first < report->row_count;) {
        size_t end = first + 1;

        while (end < report->row_count &&
               strcmp(report->rows[end].group, report->rows[first].group) == 0)
            end++;
        if (page.wide)
            write_wide_group(&page, first, end);
        else
            write_narrow_group(&page, first, end);
        first = end;
    }
    write_notes(&page);
}
