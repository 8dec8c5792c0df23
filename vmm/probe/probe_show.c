/* SPDX-License-Identifier: Apache-2.0 */
/* The report of `probe` as a table: a row a check, a column a sandbox. */
#include <stdio.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/syscall_name.h"
#include "vmm/base/table.h"
#include "vmm/base/text.h"
#include "vmm/probe/probe.h"

#define TITLE_COLUMNS 24 /* cells */
#define CELL_MIN      16
#define COLUMNS_MIN   60
#define COLUMNS_MAX   160
#define GAP           2

struct page {
    const struct probe_report *report;
    const struct probe_style *style;
    unsigned cell_columns;
    struct table table;
    FILE *out;
};

/* The text of a cell, with the layer in brackets; or the reason why it was not tested, unless the
 * whole sandbox was not: that is said once, below the table. */
static void cell_text(const struct probe_cell *cell, bool sandbox_tested, char *text, size_t size)
{
    bool acted = strcmp(cell->result, "allowed") == 0;
    bool untested = strcmp(cell->result, "not tested") == 0;

    if (untested && sandbox_tested && cell->evidence[0])
        snprintf(text, size, "%s (%s)", cell->result, cell->evidence);
    else if (cell->layer == PROBE_UNKNOWN)
        snprintf(text, size, "%s", cell->result);
    else if (cell->layer == PROBE_NOTHING)
        snprintf(text, size, "%s (%s)", cell->result, acted ? "not stopped" : "the host's");
    else
        snprintf(text, size, "%s (%s)", cell->result, probe_layer_name(cell->layer));
}

/* For a terminal without UTF-8: in ASCII. */
static void restrict_text(char *text, bool utf8)
{
    char ascii[PROBE_RESULT_MAX + PROBE_EVIDENCE_MAX];

    if (utf8)
        return;
    text_copy_ascii(ascii, sizeof(ascii), text);
    memcpy(text, ascii, strlen(ascii) + 1); /* no longer than it was */
}

static void add_why(struct page *page, const struct probe_row *row)
{
    table_add_rest(&page->table, "    tries: %s; side effects: %s", row->tries, row->side_effects);
    for (size_t i = 0; i < page->report->sandbox_count; i++) {
        char text[PROBE_EVIDENCE_MAX];

        snprintf(text, sizeof(text), "%s", row->cells[i].evidence);
        restrict_text(text, page->style->utf8);
        if (*text)
            table_add_rest(&page->table, "    %s: %s", page->report->sandboxes[i]->title, text);
    }
}

static void add_row(struct page *page, const struct probe_row *row)
{
    table_add(&page->table, "%s", row->title);
    for (size_t i = 0; i < page->report->sandbox_count; i++) {
        char text[PROBE_RESULT_MAX + PROBE_EVIDENCE_MAX];
        AUTO_FREE char *wrapped = NULL;

        cell_text(&row->cells[i], !page->report->why[i][0], text, sizeof(text));
        restrict_text(text, page->style->utf8);
        wrapped = table_wrap(text, page->cell_columns);
        table_add(&page->table, "%s", wrapped ? wrapped : text);
    }
    if (page->style->verbose)
        add_why(page, row);
}

/* ---- lists of system calls ------------------------------------------------------------------- */

struct paragraph {
    FILE *out;
    unsigned columns;
    unsigned used;
};

static void write_word(struct paragraph *paragraph, const char *word)
{
    unsigned length = (unsigned)strlen(word);

    if (paragraph->used == 0 || paragraph->used + 1 + length > paragraph->columns) {
        fprintf(paragraph->out, "%s  ", paragraph->used ? "\n" : "");
        paragraph->used = 2;
    } else {
        fputc(' ', paragraph->out);
        paragraph->used++;
    }
    fputs(word, paragraph->out);
    paragraph->used += length;
}

static void write_calls_with(const struct page *page, size_t sandbox, const char *letters,
                             const char *what)
{
    const char *calls = page->report->calls[sandbox].letters;
    struct paragraph paragraph = {page->out, page->style->columns, 0};

    for (unsigned call = 0; calls[call]; call++) {
        if (!strchr(letters, calls[call]) || !syscall_name(call))
            continue;
        if (paragraph.used == 0)
            fprintf(page->out, "\n%s: %s\n", page->report->sandboxes[sandbox]->title, what);
        write_word(&paragraph, syscall_name(call));
    }
    if (paragraph.used)
        fputc('\n', page->out);
}

static void write_calls(const struct page *page)
{
    struct paragraph paragraph = {page->out, page->style->columns, 0};

    for (size_t i = 0; i < page->report->sandbox_count; i++) {
        write_calls_with(page, i, "y", "system calls that can be made");
        write_calls_with(page, i, "u", "allowed by seccomp, presence not tested");
        write_calls_with(page, i, "n", "allowed by seccomp, absent from this kernel");
        write_calls_with(page, i, "sk", "stopped by the filter");
    }
    for (size_t i = 0; i < PROBE_THREADS; i++) {
        const struct probe_thread_calls *thread = &page->report->monitor_calls[i];

        fprintf(
            page->out,
            "\nmicro-VM: system calls to the host that the monitor's thread '%s' may make, some "
            "only with certain arguments:\n",
            thread->thread);
        paragraph = (struct paragraph){page->out, page->style->columns, 0};
        for (size_t k = 0; k < thread->count; k++)
            write_word(&paragraph, syscall_name(thread->calls[k]));
        fputc('\n', page->out);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void write_notes(const struct page *page)
{
    for (size_t i = 0; i < page->report->sandbox_count; i++) {
        if (page->report->own_kernel[i])
            fprintf(
                page->out,
                "\n%s: its own kernel handled the checks. The layers in its column are layers of "
                "that\nkernel; an attacker who breaks out of it is still confined by %s.\n",
                page->report->sandboxes[i]->title,
                page->report->sandboxes[i]->beneath ? page->report->sandboxes[i]->beneath
                                                    : "the host");
    }
    for (size_t i = 0; i < page->report->sandbox_count; i++) {
        if (page->report->why[i][0])
            fprintf(page->out, "\n%s not tested: %s\n", page->report->sandboxes[i]->title,
                    page->report->why[i]);
    }
}

void probe_show(const struct probe_report *report, const struct probe_style *style, FILE *out)
{
    struct probe_style bounded = *style;
    struct table_column columns[1 + SANDBOX_COUNT] = {{"check", TABLE_LEFT, TITLE_COLUMNS}};
    struct page page = {
        .report = report,
        .style = &bounded,
        .table = {.columns = columns, .column_count = 1 + report->sandbox_count, .gap = GAP},
        .out = out,
    };
    const char *group = NULL;
    unsigned sandboxes = (unsigned)(report->sandbox_count ? report->sandbox_count : 1);

    if (bounded.columns < COLUMNS_MIN)
        bounded.columns = COLUMNS_MIN;
    if (bounded.columns > COLUMNS_MAX)
        bounded.columns = COLUMNS_MAX;
    page.cell_columns = (bounded.columns - TITLE_COLUMNS) / sandboxes - GAP;
    if (page.cell_columns < CELL_MIN)
        page.cell_columns = CELL_MIN;
    for (size_t i = 0; i < report->sandbox_count; i++)
        columns[1 + i] =
            (struct table_column){report->sandboxes[i]->title, TABLE_LEFT, page.cell_columns};
    for (size_t i = 0; i < report->row_count; i++) {
        if (!group || strcmp(group, report->rows[i].group) != 0)
            table_add_rest(&page.table, "\n%s", report->rows[i].group);
        group = report->rows[i].group;
        add_row(&page, &report->rows[i]);
    }
    (void)table_write(&page.table, out); /* the output shows a failure */
    table_release(&page.table);
    if (bounded.verbose)
        write_calls(&page);
    write_notes(&page);
}
