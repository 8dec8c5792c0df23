/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in measures of `microvm compare`: microvm-probes runs under each isolation and writes
 * samples (guest/probes/measure.h), one JSON object a line.
 *
 * Its output is untrusted data: only names that are known here, numbers within bounds, and text
 * that is safe to show are accepted.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/json.h"
#include "vmm/base/text.h"
#include "vmm/compare/compare_private.h"

#define ROUNDS        4 /* runs under each isolation: the fewest that can show a difference */
#define OUTPUT_MAX    (1U << 20)
#define NUMBER_MAX    INT64_C(1000000000000000000)
#define DISK_OPTION   "--disk=256m"
#define REMARK_MAX    200
#define GROUP_KERNEL  "kernel operations"
#define GROUP_FILES   "files"
#define GROUP_MACHINE "the hypervisor"

/* The run that a measure comes from. */
enum source { IN_SANDBOX, WITH_DISK, BARE_MACHINE };

static const struct measure {
    enum source source;
    enum report_unit unit;
    const char *name; /* in the output of microvm-probes */
    const char *id, *group, *label;
} measures[] = {
    {IN_SANDBOX, REPORT_TIME, "syscall", "syscall", GROUP_KERNEL, "system call (getppid)"},
    {IN_SANDBOX, REPORT_TIME, "fork_exec", "fork_exec", GROUP_KERNEL, "fork, exec, wait"},
    {IN_SANDBOX, REPORT_TIME, "page_fault", "page_fault", GROUP_KERNEL, "page fault, first touch"},
    {IN_SANDBOX, REPORT_TIME, "context_switch", "context_switch", GROUP_KERNEL, "context switch"},
    {IN_SANDBOX, REPORT_RATE, "pipe", "pipe", GROUP_KERNEL, "pipe throughput"},
    {IN_SANDBOX, REPORT_RATE, "root_read", "root_read", GROUP_FILES, "root: read"},
    {IN_SANDBOX, REPORT_TIME, "root_random_read", "root_random_read", GROUP_FILES,
     "root: 4 KiB reads"},
    {IN_SANDBOX, REPORT_RATE, "layer_write", "layer_write", GROUP_FILES, "writable layer: write"},
    {IN_SANDBOX, REPORT_TIME, "layer_random_write", "layer_random_write", GROUP_FILES,
     "writable layer: 4 KiB writes"},
    {IN_SANDBOX, REPORT_RATE, "layer_read", "layer_read", GROUP_FILES, "writable layer: read"},
    {IN_SANDBOX, REPORT_TIME, "layer_random_read", "layer_random_read", GROUP_FILES,
     "writable layer: 4 KiB reads"},
    {WITH_DISK, REPORT_RATE, "layer_write", "disk_write", GROUP_FILES, "--disk: write"},
    {WITH_DISK, REPORT_TIME, "layer_random_write", "disk_random_write", GROUP_FILES,
     "--disk: 4 KiB writes"},
    {WITH_DISK, REPORT_RATE, "layer_read", "disk_read", GROUP_FILES, "--disk: read"},
    {WITH_DISK, REPORT_TIME, "layer_random_read", "disk_random_read", GROUP_FILES,
     "--disk: 4 KiB reads"},
    {BARE_MACHINE, REPORT_TIME, "hypercall", "hypercall", GROUP_MACHINE, "hypercall: doorbell"},
    {BARE_MACHINE, REPORT_TIME, "virtio_kick", "virtio_kick", GROUP_MACHINE,
     "virtio: kick to used buffer"},
};

static struct report_row *measure_row(struct comparison *comparison, const struct measure *measure)
{
    return report_add_row(comparison->report, measure->id, measure->group, measure->label,
                          measure->unit);
}

static const struct measure *find_measure(enum source source, const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(measures); i++) {
        if (measures[i].source == source && strcmp(measures[i].name, name) == 0)
            return &measures[i];
    }
    return NULL;
}

/* ---- output of microvm-probes ---------------------------------------------------------------- */

static void take_text(const json_t *value, char text[REMARK_MAX])
{
    text_copy(text, REMARK_MAX, json_string_value(value));
}

static int add_remark(struct comparison *comparison, const struct measure *measure,
                      const json_t *value)
{
    struct string_list *notes = &comparison->report->notes;
    char remark[REMARK_MAX];
    char note[REMARK_MAX + 64];

    take_text(value, remark);
    snprintf(note, sizeof(note), "%s: %s", measure->label, remark);
    for (size_t i = 0; i < notes->count; i++) {
        if (strcmp(notes->items[i], note) == 0)
            return 0;
    }
    return string_list_add(notes, note);
}

static bool take_number(const json_t *line, const char *key, double *value)
{
    const json_t *member = json_object_get(line, key);
    json_int_t number = json_integer_value(member);

    *value = (double)number;
    return json_is_integer(member) && number > 0 && number < NUMBER_MAX;
}

/* One line of microvm-probes. Unknown lines are ignored. */
static int take_line(struct comparison *comparison, enum source source, size_t sandbox,
                     const json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "measure"));
    const struct measure *measure = name ? find_measure(source, name) : NULL;
    struct report_row *row = measure ? measure_row(comparison, measure) : NULL;
    const json_t *text;
    double value;
    int rc = 0;

    if (!row)
        return measure ? -ENOMEM : 0; /* an unknown measure is ignored */
    if (measure->unit == REPORT_TIME && take_number(line, "ps", &value))
        rc = report_add_value(row, sandbox, value / 1000);
    else if (measure->unit == REPORT_RATE && take_number(line, "bytes_per_second", &value))
        rc = report_add_value(row, sandbox, value);
    if (rc < 0 && rc != -E2BIG)
        return rc;
    text = json_object_get(line, "error");
    if (json_is_string(text)) {
        char reason[REMARK_MAX];

        take_text(text, reason);
        report_add_note(row, sandbox, "not measured: %s", reason);
    }
    text = json_object_get(line, "remark");
    return rc == 0 && json_is_string(text) ? add_remark(comparison, measure, text) : 0;
}

static int take_output(struct comparison *comparison, enum source source, size_t sandbox,
                       const struct trial_text *output)
{
    const char *at = output->bytes;
    const char *end = at + output->size;

    while (at && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        AUTO_JSON json_t *line = NULL;
        int rc = json_parse(at, size, &line, NULL);

        if (rc == -ENOMEM || (rc == 0 && take_line(comparison, source, sandbox, line) == -ENOMEM))
            return -ENOMEM;
        at += size + 1;
    }
    return 0;
}

/*
 * The samples of one run are not independent: what else the host did during the run affects all of
 * them. So a run gives one value, the median of its samples. `before`: values of the cells before
 * this run.
 */
static void settle(struct comparison *comparison, enum source source, size_t sandbox,
                   const size_t before[])
{
    for (size_t i = 0; i < ARRAY_LENGTH(measures); i++) {
        struct report_row *row = measures[i].source == source && source != BARE_MACHINE
                                     ? measure_row(comparison, &measures[i])
                                     : NULL;
        struct report_cell *cell = row ? &row->cells[sandbox] : NULL;
        struct statistics summary;

        if (!cell || cell->count == before[i])
            continue;
        statistics_summarize(cell->values + before[i], cell->count - before[i], &summary);
        cell->values[before[i]] = summary.median;
        cell->count = before[i] + 1;
    }
}

static void count_values(struct comparison *comparison, enum source source, size_t sandbox,
                         size_t before[])
{
    for (size_t i = 0; i < ARRAY_LENGTH(measures); i++) {
        const struct report_row *row =
            measures[i].source == source ? measure_row(comparison, &measures[i]) : NULL;

        before[i] = row ? row->cells[sandbox].count : 0;
    }
}

/* ---- the runs -------------------------------------------------------------------------------- */

/* Notes the reason at all measures of a run that failed. */
static void note_failure(struct comparison *comparison, enum source source, size_t sandbox,
                         const char *reason)
{
    for (size_t i = 0; i < ARRAY_LENGTH(measures); i++) {
        struct report_row *row;

        if (measures[i].source != source)
            continue;
        row = measure_row(comparison, &measures[i]);
        if (row)
            report_add_note(row, sandbox, "%s", reason);
    }
}

/* Returns 0 or -ENOMEM. */
static int make_arguments(const struct comparison *comparison, enum source source, size_t sandbox,
                          struct string_list *options, struct string_list *command)
{
    bool disk = source == WITH_DISK;

    if (comparison_add_options(comparison, sandbox, true, options) < 0 ||
        string_list_add_format(options, "--program=%s", comparison->request->probes) < 0 ||
        (disk && string_list_add(options, DISK_OPTION) < 0) ||
        string_list_add(command, "measure") < 0 || (disk && string_list_add(command, "layer") < 0))
        return -ENOMEM;
    return 0;
}

static int measure_once(struct comparison *comparison, enum source source, size_t sandbox,
                        struct error *err)
{
    static const char *const what[] = {"built-in measures", "built-in measures with --disk",
                                       "a bare VM"};
    AUTO_STRING_LIST struct string_list options = {0};
    AUTO_STRING_LIST struct string_list command = {0};
    const struct compare_request *request = comparison->request;
    struct trial_request trial_request = {
        .arguments = source == BARE_MACHINE ? &request->machine : NULL,
        .sandbox = request->sandboxes[sandbox],
        .options = &options,
        .image = request->image,
        .command = &command,
        .output_max = OUTPUT_MAX,
        .signal_fd = request->signal_fd,
    };
    AUTO_TRIAL_RESULT struct trial_result result = {0};
    size_t before[ARRAY_LENGTH(measures)];
    char why[REPORT_NOTE_SIZE];
    int rc;

    comparison_progress(comparison, sandbox, what[source]);
    if (comparison->report->sandboxes[sandbox].reason[0])
        return 0;
    if (make_arguments(comparison, source, sandbox, &options, &command) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    rc = trial_run(&trial_request, &result, err);
    if (rc < 0)
        return rc;
    rc = comparison_check(comparison, &result, err);
    if (rc < 0)
        return rc;
    if (result.status != 0 || trial_failed(&result)) {
        trial_why(&result, why, sizeof(why));
        note_failure(comparison, source, sandbox, why);
    }
    count_values(comparison, source, sandbox, before);
    if (take_output(comparison, source, sandbox, &result.streams[TRIAL_OUTPUT]) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    settle(comparison, source, sandbox, before);
    return 0;
}

/* The first sandbox whose VM can be measured; -1 = none. */
static int find_machine(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->request->sandbox_count; i++) {
        if (comparison->request->sandboxes[i]->traits & SANDBOX_DOORBELL)
            return (int)i;
    }
    return -1;
}

unsigned costs_run_count(const struct comparison *comparison)
{
    unsigned sandboxes = (unsigned)comparison->request->sandbox_count;

    return ROUNDS * sandboxes * (comparison->request->disk ? 1 : 2) +
           (find_machine(comparison) >= 0 ? 1 : 0);
}

static int make_rows(struct comparison *comparison, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(measures); i++) {
        if (measures[i].source == WITH_DISK && comparison->request->disk)
            continue; /* the writable layer is that disk already */
        if (!measure_row(comparison, &measures[i]))
            return error_set_errno(err, ENOMEM, "compare");
    }
    return 0;
}

static int measure_all(struct comparison *comparison, enum source source, struct error *err)
{
    size_t sandboxes = comparison->request->sandbox_count;

    for (size_t i = 0; i < ROUNDS * sandboxes; i++) {
        int rc = measure_once(comparison, source, (i / sandboxes + i) % sandboxes, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

int costs_measure(struct comparison *comparison, struct error *err)
{
    int machine = find_machine(comparison);
    int rc = make_rows(comparison, err);

    if (rc < 0)
        return rc;
    rc = measure_all(comparison, IN_SANDBOX, err);
    if (rc < 0)
        return rc;
    rc = comparison->request->disk ? 0 : measure_all(comparison, WITH_DISK, err);
    if (rc < 0)
        return rc;
    rc = machine >= 0 ? measure_once(comparison, BARE_MACHINE, (size_t)machine, err) : 0;
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < comparison->request->sandbox_count; i++) {
        if (!(comparison->request->sandboxes[i]->traits & SANDBOX_DOORBELL))
            note_failure(comparison, BARE_MACHINE, i, "none: no hypervisor");
    }
    return 0;
}
