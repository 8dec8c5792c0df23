/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the values of a comparison, and compares them; see compare_report.h. */
#include "vmm/compare/compare_report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"

struct report_row *report_add_row(struct report *report, const char *id, const char *group,
                                  const char *label, enum report_unit unit)
{
    for (size_t i = 0; i < report->row_count; i++) {
        if (strcmp(report->rows[i].id, id) == 0)
            return &report->rows[i];
    }
    if (report->row_count == report->row_capacity) {
        size_t capacity = report->row_capacity > 0 ? report->row_capacity * 2 : 32;
        struct report_row *grown = reallocarray(report->rows, capacity, sizeof(*grown));

        if (!grown)
            return NULL;
        report->rows = grown;
        report->row_capacity = capacity;
    }
    report->rows[report->row_count] =
        (struct report_row){.id = id, .group = group, .label = label, .unit = unit};
    return &report->rows[report->row_count++];
}

int report_add_value(struct report_row *row, size_t sandbox, double value)
{
    struct report_cell *cell = &row->cells[sandbox];
    double *grown;

    if (cell->count == REPORT_VALUES_MAX)
        return -E2BIG;
    grown = reallocarray(cell->values, cell->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    cell->values = grown;
    cell->values[cell->count++] = value;
    return 0;
}

void report_add_note(struct report_row *row, size_t sandbox, const char *format, ...)
{
    struct report_cell *cell = &row->cells[sandbox];
    va_list args;

    if (cell->note[0])
        return;
    va_start(args, format);
    vsnprintf(cell->note, sizeof(cell->note), format, args);
    va_end(args);
}

int report_baseline(const struct report *report)
{
    for (size_t i = 0; i < report->sandbox_count; i++) {
        if ((report->sandboxes[i].kind->traits & SANDBOX_BASELINE) &&
            !report->sandboxes[i].reason[0])
            return (int)i;
    }
    return -1;
}

static void find_verdict(struct report_cell *cell, struct report_cell *base)
{
    cell->probability = 1;
    if (cell->count == 0) {
        cell->verdict = REPORT_NO_VALUES;
    } else if (cell == base) {
        cell->verdict = REPORT_BASELINE;
    } else if (!base || base->count == 0) {
        cell->verdict = REPORT_NO_BASELINE;
    } else {
        if (base->summary.median > 0)
            cell->ratio = cell->summary.median / base->summary.median;
        cell->probability = statistics_test(cell->values, cell->count, base->values, base->count);
        if (cell->count < STATISTICS_COUNT_MIN || base->count < STATISTICS_COUNT_MIN)
            cell->verdict = REPORT_TOO_FEW;
        else
            cell->verdict = cell->probability < STATISTICS_LEVEL ? REPORT_DIFFERENT : REPORT_SAME;
    }
}

void report_finish(struct report *report)
{
    int baseline = report_baseline(report);

    for (size_t i = 0; i < report->row_count; i++) {
        struct report_cell *cells = report->rows[i].cells;

        for (size_t j = 0; j < report->sandbox_count; j++) {
            statistics_summarize(cells[j].values, cells[j].count, &cells[j].summary);
            if (cells[j].count == 0 && !cells[j].note[0])
                snprintf(cells[j].note, sizeof(cells[j].note), "%s",
                         report->sandboxes[j].reason[0] ? "did not run" : "not measured");
        }
        for (size_t j = 0; j < report->sandbox_count; j++)
            find_verdict(&cells[j], baseline >= 0 ? &cells[baseline] : NULL);
    }
}

void report_release(struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        for (size_t j = 0; j < SANDBOX_COUNT; j++)
            free(report->rows[i].cells[j].values);
    }
    free(report->rows);
    string_list_release(&report->command);
    string_list_release(&report->options);
    string_list_release(&report->notes);
    *report = (struct report){0};
}

const char *report_verdict_name(enum report_verdict verdict)
{
    static const char *const names[] = {
        [REPORT_NO_VALUES] = "not measured",   [REPORT_BASELINE] = "baseline",
        [REPORT_NO_BASELINE] = "no baseline",  [REPORT_TOO_FEW] = "too few values",
        [REPORT_SAME] = "no difference shown", [REPORT_DIFFERENT] = "different",
    };

    return names[verdict];
}

const char *report_unit_name(enum report_unit unit)
{
    static const char *const names[] = {
        [REPORT_TIME] = "ns", [REPORT_MEMORY] = "B", [REPORT_RATE] = "B/s"};

    return names[unit];
}

/* ---- numbers for people ---------------------------------------------------------------------- */

struct scale {
    double size;
    const char *name;
    const char *ascii; /* where it differs */
};

static const struct scale *find_scale(double like, enum report_unit unit)
{
    static const struct scale times[] = {
        {1e9, "s", NULL}, {1e6, "ms", NULL}, {1e3, "\u00b5s", "us"}, {1, "ns", NULL}};
    static const struct scale sizes[] = {
        {1U << 30, "GiB", NULL}, {1U << 20, "MiB", NULL}, {1U << 10, "KiB", NULL}, {1, "B", NULL}};
    static const struct scale rates[] = {{1U << 30, "GiB/s", NULL},
                                         {1U << 20, "MiB/s", NULL},
                                         {1U << 10, "KiB/s", NULL},
                                         {1, "B/s", NULL}};
    const struct scale *scales = unit == REPORT_TIME     ? times
                                 : unit == REPORT_MEMORY ? sizes
                                                         : rates;
    size_t i = 0;

    while (i + 1 < ARRAY_LENGTH(times) && like < scales[i].size)
        i++;
    return &scales[i];
}

static void format_digits(double value, char text[REPORT_NUMBER_SIZE])
{
    int decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;

    snprintf(text, REPORT_NUMBER_SIZE, "%.*f", decimals, value);
}

void report_format_bare(double value, double like, enum report_unit unit,
                        char text[REPORT_NUMBER_SIZE])
{
    format_digits(value / find_scale(like, unit)->size, text);
}

void report_format_number(double value, double like, enum report_unit unit, bool utf8,
                          char text[REPORT_NUMBER_SIZE])
{
    const struct scale *scale = find_scale(like, unit);
    size_t used;

    format_digits(value / scale->size, text);
    used = strlen(text);
    snprintf(text + used, REPORT_NUMBER_SIZE - used, " %s",
             scale->ascii && !utf8 ? scale->ascii : scale->name);
}

void report_format_ratio(double ratio, char text[REPORT_NUMBER_SIZE])
{
    format_digits(ratio, text);
}
