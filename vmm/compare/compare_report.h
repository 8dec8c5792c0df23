/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The result of a comparison, and the three ways to show it: a table for a terminal, one JSON
 * object, an HTML page. docs/guide/compare.md describes the rows and the JSON.
 *
 * Values are doubles of base units. Texts may come from inside a sandbox: each output escapes them.
 */
#ifndef MICROVM_COMPARE_COMPARE_REPORT_H
#define MICROVM_COMPARE_COMPARE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/sandbox/registry.h"
#include "vmm/trial/statistics.h"

#define REPORT_VALUES_MAX 4096 /* of one cell */
#define REPORT_NOTE_SIZE  256

enum report_unit {
    REPORT_TIME,   /* nanoseconds */
    REPORT_MEMORY, /* bytes */
    REPORT_RATE,   /* bytes a second */
};

enum report_verdict {
    REPORT_NO_VALUES,   /* the note says why */
    REPORT_BASELINE,    /* what others are compared with */
    REPORT_NO_BASELINE, /* there is nothing to compare with */
    REPORT_TOO_FEW,     /* too few values to show any difference */
    REPORT_SAME,        /* no difference shown */
    REPORT_DIFFERENT,
};

/* One row, one sandbox. */
struct report_cell {
    double *values; /* sorted by report_finish() */
    size_t count;
    char note[REPORT_NOTE_SIZE]; /* why there are no values; "" = no note */
    /* By report_finish(): */
    struct statistics summary;
    enum report_verdict verdict;
    double ratio;       /* of the medians, to the baseline's; 0 = none */
    double probability; /* of statistics_test(); 1 without a baseline */
};

struct report_row {
    const char *id;    /* "warm.run" */
    const char *group; /* heading: "the command, warm" */
    const char *label; /* "full run" */
    enum report_unit unit;
    struct report_cell cells[SANDBOX_COUNT];
};

struct report_sandbox {
    const struct sandbox *kind;
    char reason[512]; /* why it did not run; "" = it did */
    int status;       /* of the command, when it ran, or of microvm */
    bool no_command;  /* it did not run because the command could not be executed */
};

struct report {
    const char *image;
    struct string_list command;
    struct string_list options;
    unsigned runs; /* of each sandbox, warm, and as many cold */
    char host[160];
    struct report_sandbox sandboxes[SANDBOX_COUNT];
    size_t sandbox_count;
    struct report_row *rows;
    size_t row_count, row_capacity;
    struct string_list notes; /* sentences below the table */
};

/* The row of this id, appended empty if it is missing; the texts must outlive the report.
 * NULL: out of memory. */
struct report_row *report_add_row(struct report *report, const char *id, const char *group,
                                  const char *label, enum report_unit unit);
/* Returns 0, -ENOMEM or -E2BIG. */
int report_add_value(struct report_row *row, size_t sandbox, double value);
/* Notes why a cell has no values, unless it has a note already. */
void report_add_note(struct report_row *row, size_t sandbox, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Index of the sandbox that others are compared with: the container's, if it ran; -1 = none. */
int report_baseline(const struct report *report);
/* Summarizes and compares the values; call it once, before anything is shown. */
void report_finish(struct report *report);
void report_release(struct report *report);

/* "different", "no difference shown", ...: the same in every output. */
const char *report_verdict_name(enum report_verdict verdict);
/* "ns", "B", "B/s". */
const char *report_unit_name(enum report_unit unit);

/* A value with three digits and a fitting unit ("1.52 s"); `like` chooses the unit, so that all
 * values of a cell have the same. `utf8`: µs instead of us. */
#define REPORT_NUMBER_SIZE 32
void report_format_number(double value, double like, enum report_unit unit, bool utf8,
                          char text[REPORT_NUMBER_SIZE]);
/* The same without the unit. */
void report_format_bare(double value, double like, enum report_unit unit,
                        char text[REPORT_NUMBER_SIZE]);
/* "33.7" for a ratio. */
void report_format_ratio(double ratio, char text[REPORT_NUMBER_SIZE]);

/* The table, at most `columns` wide if possible. */
void report_write_table(const struct report *report, unsigned columns, bool utf8, FILE *out);
/* One object, one line. Errors: ENOMEM, EIO. */
int report_write_json(const struct report *report, FILE *out, struct error *err);
/* One page, without scripts and without anything to load. */
void report_write_html(const struct report *report, FILE *out);

#endif
