/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the command under each isolation, and fills the rows of the report; see compare.h. */
#include "vmm/compare/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cgroup.h"
#include "vmm/base/cleanup.h"
#include "vmm/compare/compare_private.h"

#define OUTPUT_MAX 65536 /* bytes of a command's output that are compared */

enum temperature { WARM, COLD, TEMPERATURES };

static const char *const temperature_names[TEMPERATURES] = {"warm", "cold"};

enum figure { COMMAND, FIRST_BYTE, RUN, MEMORY, PROCESSOR, INSIDE, AROUND, FIGURES };

static const struct {
    const char *ids[TEMPERATURES];
    const char *label;
    enum report_unit unit;
} figures[FIGURES] = {
    [COMMAND] = {{"warm.command", "cold.command"}, "start to command running", REPORT_TIME},
    [FIRST_BYTE] = {{"warm.first_byte", "cold.first_byte"}, "start to first byte", REPORT_TIME},
    [RUN] = {{"warm.run", "cold.run"}, "full run", REPORT_TIME},
    [MEMORY] = {{"warm.memory", "cold.memory"}, "peak memory on the host", REPORT_MEMORY},
    [PROCESSOR] = {{"warm.cpu", "cold.cpu"}, "processor time", REPORT_TIME},
    [INSIDE] = {{"warm.cpu_inside", "cold.cpu_inside"}, "of it inside the sandbox", REPORT_TIME},
    [AROUND] = {{"warm.cpu_around", "cold.cpu_around"}, "of it outside the sandbox", REPORT_TIME},
};

static const char *const groups[TEMPERATURES] = {"the command, warm", "the command, cold"};

/* The result of the first run under an isolation, which is not measured. */
struct first_run {
    struct trial_text output;
    int status;
};

struct plan {
    struct comparison comparison;
    struct first_run first[SANDBOX_COUNT];
    bool statuses_differ; /* from run to run under one isolation */
};

/* ---- one run --------------------------------------------------------------------------------- */

static void forget_files(const struct string_list *files)
{
    for (size_t i = 0; i < files->count; i++) {
        AUTO_CLOSE int fd = open(files->items[i], O_RDONLY | O_CLOEXEC);

        if (fd >= 0)
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
}

void comparison_progress(struct comparison *comparison, size_t sandbox, const char *what)
{
    char text[160];

    comparison->run++;
    snprintf(text, sizeof(text), "run %u of %u: %s, %s", comparison->run, comparison->run_count,
             comparison->report->sandboxes[sandbox].kind->title, what);
    if (comparison->request->progress)
        comparison->request->progress(text);
}

static bool is_option(const char *text, const char *name)
{
    size_t length = strlen(name);

    return strncmp(text, name, length) == 0 && (text[length] == '=' || !text[length]);
}

int comparison_add_options(const struct comparison *comparison, size_t sandbox, bool own_program,
                           struct string_list *options)
{
    static const struct {
        const char *name;
        unsigned trait; /* of the sandboxes that accept it; others refuse it */
    } kinds[] = {{"--runtime", SANDBOX_OCI_RUNTIME},
                 {"--earlycon", SANDBOX_EARLY_SERIAL},
                 {"--jail", SANDBOX_MONITOR},
                 {"--jail-uid", SANDBOX_MONITOR}};
    const struct string_list *all = &comparison->request->options;
    unsigned traits = comparison->request->sandboxes[sandbox]->traits;

    for (size_t i = 0; i < all->count; i++) {
        const char *option = all->items[i];
        bool taken =
            !own_program || (!is_option(option, "--entrypoint") && !is_option(option, "--program"));

        for (size_t j = 0; j < ARRAY_LENGTH(kinds); j++)
            taken = taken && (!is_option(option, kinds[j].name) || (traits & kinds[j].trait));
        if (taken && string_list_add(options, option) < 0)
            return -ENOMEM;
    }
    return 0;
}

int comparison_check(struct comparison *comparison, const struct trial_result *result,
                     struct error *err)
{
    if (!result->interrupted)
        return 0;
    comparison->signal = result->interrupted;
    return error_set(err, EINTR, "compare: ended by signal %d", result->interrupted);
}

/* One run of the command under one isolation, in a cgroup of its own where that is possible. */
static int run_once(struct comparison *comparison, size_t sandbox, struct run_group *group,
                    struct trial_result *result, struct error *err)
{
    AUTO_STRING_LIST struct string_list options = {0};
    const struct compare_request *request = comparison->request;
    struct trial_request trial_request = {
        .sandbox = request->sandboxes[sandbox],
        .options = &options,
        .image = request->image,
        .command = &request->command,
        .output_max = OUTPUT_MAX,
        .signal_fd = request->signal_fd,
    };
    int rc;

    if (comparison_add_options(comparison, sandbox, false, &options) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    if (comparison->grouped) {
        rc = run_group_create(comparison->run, group, err);
        if (rc < 0)
            return rc;
        memcpy(trial_request.joins, group->joins, sizeof(group->joins));
        trial_request.join_count = group->join_count;
        if ((request->sandboxes[sandbox]->traits & SANDBOX_OCI_RUNTIME) &&
            string_list_add_format(&options, "--cgroup-parent=%s", group->path) < 0)
            return error_set_errno(err, ENOMEM, "compare");
    }
    rc = trial_run(&trial_request, result, err);
    return rc < 0 ? rc : comparison_check(comparison, result, err);
}

/* ---- results of a run ------------------------------------------------------------------------ */

static struct report_row *figure_row(struct comparison *comparison, enum figure figure,
                                     enum temperature temperature)
{
    return report_add_row(comparison->report, figures[figure].ids[temperature], groups[temperature],
                          figures[figure].label, figures[figure].unit);
}

static int add_figure(struct comparison *comparison, enum figure figure,
                      enum temperature temperature, size_t sandbox, uint64_t value,
                      struct error *err)
{
    struct report_row *row = figure_row(comparison, figure, temperature);
    int rc = row ? report_add_value(row, sandbox, (double)value) : -ENOMEM;

    return rc < 0 ? error_set_errno(err, -rc, "compare") : 0;
}

static void add_reason(struct comparison *comparison, enum figure figure,
                       enum temperature temperature, size_t sandbox, const char *reason)
{
    struct report_row *row = figure_row(comparison, figure, temperature);

    if (row)
        report_add_note(row, sandbox, "%s", reason);
}

static int add_command_time(struct comparison *comparison, size_t sandbox,
                            enum temperature temperature, const struct trial_result *result,
                            struct error *err)
{
    uint64_t command_ns;

    if (trial_step(result, "runtime", &command_ns) && command_ns > result->start_ns)
        return add_figure(comparison, COMMAND, temperature, sandbox, command_ns - result->start_ns,
                          err);
    add_reason(comparison, COMMAND, temperature, sandbox, "not in the run's timeline");
    return 0;
}

/* Standard output, else the timeline: standard error also has the warnings of microvm. */
static int add_first_byte_time(struct comparison *comparison, size_t sandbox,
                               enum temperature temperature, const struct trial_result *result,
                               struct error *err)
{
    uint64_t first_byte_ns = result->first_byte_ns;

    if (first_byte_ns == 0 && !trial_step(result, "first_byte", &first_byte_ns)) {
        add_reason(comparison, FIRST_BYTE, temperature, sandbox, "wrote nothing");
        return 0;
    }
    if (first_byte_ns <= result->start_ns)
        return 0;
    return add_figure(comparison, FIRST_BYTE, temperature, sandbox,
                      first_byte_ns - result->start_ns, err);
}

static int add_times(struct comparison *comparison, size_t sandbox, enum temperature temperature,
                     const struct trial_result *result, struct error *err)
{
    int rc = add_command_time(comparison, sandbox, temperature, result, err);

    if (rc < 0)
        return rc;
    rc = add_first_byte_time(comparison, sandbox, temperature, result, err);
    if (rc < 0)
        return rc;
    return add_figure(comparison, RUN, temperature, sandbox, result->end_ns - result->start_ns,
                      err);
}

static int add_processor(struct comparison *comparison, size_t sandbox,
                         enum temperature temperature, const struct trial_result *result,
                         const struct run_group *group, struct error *err)
{
    uint64_t all_us = result->cpu_us;
    uint64_t inside_us;
    int rc;

    if (comparison->grouped)
        (void)cgroup_read_cpu_time(group->path, &all_us);
    rc = add_figure(comparison, PROCESSOR, temperature, sandbox, all_us * 1000, err);
    if (rc < 0)
        return rc;
    if (!trial_count(result, "inside.cpu_us", &inside_us)) {
        static const char reason[] = "not measured: the run does not report the part inside";

        add_reason(comparison, INSIDE, temperature, sandbox, reason);
        add_reason(comparison, AROUND, temperature, sandbox, reason);
        return 0;
    }
    rc = add_figure(comparison, INSIDE, temperature, sandbox, inside_us * 1000, err);
    if (rc < 0)
        return rc;
    return add_figure(comparison, AROUND, temperature, sandbox,
                      all_us > inside_us ? (all_us - inside_us) * 1000 : 0, err);
}

static int add_memory(struct comparison *comparison, size_t sandbox, enum temperature temperature,
                      const struct run_group *group, struct error *err)
{
    char reason[REPORT_NOTE_SIZE];
    uint64_t bytes;

    if (!comparison->grouped)
        snprintf(reason, sizeof(reason), "not measured: %.*s", 200, comparison->ungrouped);
    else if (!cgroup_read_memory_peak(group->path, &bytes))
        snprintf(reason, sizeof(reason), "not measured: this kernel records no peak");
    else
        return add_figure(comparison, MEMORY, temperature, sandbox, bytes, err);
    add_reason(comparison, MEMORY, temperature, sandbox, reason);
    return 0;
}

/* ---- all runs -------------------------------------------------------------------------------- */

static void note_failure(struct comparison *comparison, size_t sandbox,
                         const struct trial_result *result)
{
    struct report_sandbox *report_sandbox = &comparison->report->sandboxes[sandbox];

    trial_why(result, report_sandbox->reason, sizeof(report_sandbox->reason));
    report_sandbox->status = result->status;
    report_sandbox->no_command = result->recorded && result->record.stage == RUN_COMMAND;
}

static int measure_once(struct plan *plan, size_t sandbox, enum temperature temperature,
                        struct error *err)
{
    struct comparison *comparison = &plan->comparison;
    AUTO_TRIAL_RESULT struct trial_result result = {0};
    AUTO_RUN_GROUP struct run_group group = {0};
    int rc;

    comparison_progress(comparison, sandbox, temperature_names[temperature]);
    if (comparison->report->sandboxes[sandbox].reason[0])
        return 0;
    if (temperature == COLD)
        forget_files(&comparison->request->files);
    rc = run_once(comparison, sandbox, &group, &result, err);
    if (rc < 0)
        return rc;
    if (trial_failed(&result)) {
        note_failure(comparison, sandbox, &result);
        return 0;
    }
    plan->statuses_differ = plan->statuses_differ || result.status != plan->first[sandbox].status;
    rc = add_times(comparison, sandbox, temperature, &result, err);
    if (rc < 0)
        return rc;
    rc = add_memory(comparison, sandbox, temperature, &group, err);
    if (rc < 0)
        return rc;
    return add_processor(comparison, sandbox, temperature, &result, &group, err);
}

/* The first run, which is not measured: whether the command runs, its status and its output. */
static int try_sandbox(struct plan *plan, size_t sandbox, struct error *err)
{
    struct comparison *comparison = &plan->comparison;
    AUTO_TRIAL_RESULT struct trial_result result = {0};
    AUTO_RUN_GROUP struct run_group group = {0};
    int rc;

    comparison_progress(comparison, sandbox, "first run, not measured");
    rc = run_once(comparison, sandbox, &group, &result, err);
    if (rc < 0)
        return rc;
    if (trial_failed(&result)) {
        note_failure(comparison, sandbox, &result);
        return 0;
    }
    plan->first[sandbox].status = result.status;
    plan->first[sandbox].output = result.streams[TRIAL_OUTPUT];
    result.streams[TRIAL_OUTPUT].bytes = NULL; /* now owned by the plan */
    comparison->report->sandboxes[sandbox].status = result.status;
    return 0;
}

/* ---- notes below the table ------------------------------------------------------------------- */

static bool same_output(const struct trial_text *a, const struct trial_text *b)
{
    return a->total == b->total && a->size == b->size &&
           (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* What differs between two sandboxes that ran the same command. Returns 0 or -ENOMEM. */
static int note_difference(const struct plan *plan, size_t one, size_t other)
{
    struct report *report = plan->comparison.report;
    const struct first_run *first = &plan->first[one];
    const struct first_run *second = &plan->first[other];
    const char *first_title = report->sandboxes[one].kind->title;
    const char *second_title = report->sandboxes[other].kind->title;

    if (first->status != second->status &&
        string_list_add_format(&report->notes, "the exit status differs: %s %d, %s %d", first_title,
                               first->status, second_title, second->status) < 0)
        return -ENOMEM;
    if (same_output(&first->output, &second->output))
        return 0;
    return string_list_add_format(&report->notes,
                                  "the output differs: %s wrote %llu bytes, %s %llu", first_title,
                                  (unsigned long long)first->output.total, second_title,
                                  (unsigned long long)second->output.total);
}

/* Returns 0 or -ENOMEM. */
static int note_outcomes(const struct plan *plan)
{
    struct report *report = plan->comparison.report;
    int before = -1; /* the sandbox that ran, before this one */

    for (size_t i = 0; i < report->sandbox_count; i++) {
        const struct report_sandbox *sandbox = &report->sandboxes[i];

        if (sandbox->reason[0]) {
            if (string_list_add_format(&report->notes, "%s did not run: %s", sandbox->kind->title,
                                       sandbox->reason) < 0)
                return -ENOMEM;
            continue;
        }
        if (plan->first[i].status != 0 &&
            string_list_add_format(&report->notes, "%s: the command ended with status %d",
                                   sandbox->kind->title, plan->first[i].status) < 0)
            return -ENOMEM;
        if (before >= 0 && note_difference(plan, (size_t)before, i) < 0)
            return -ENOMEM;
        before = (int)i;
    }
    if (!plan->statuses_differ)
        return 0;
    return string_list_add(&report->notes, "the exit status differs from run to run");
}

/* Returns 0 or -ENOMEM. */
static int note_method(const struct comparison *comparison)
{
    struct report *report = comparison->report;

    if (!comparison->grouped &&
        string_list_add_format(&report->notes,
                               "processor time is that of the processes which the run has "
                               "waited for: %s",
                               comparison->ungrouped) < 0)
        return -ENOMEM;
    if (comparison->request->runs >= STATISTICS_COUNT_MIN)
        return 0;
    return string_list_add_format(&report->notes,
                                  "%u runs are too few to show a difference; use at least -n %d",
                                  comparison->request->runs, STATISTICS_COUNT_MIN);
}

static bool wrote_nothing(const struct plan *plan)
{
    for (size_t i = 0; i < SANDBOX_COUNT; i++) {
        if (plan->first[i].output.total > 0)
            return false;
    }
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int begin(struct plan *plan, struct error *err)
{
    struct comparison *comparison = &plan->comparison;
    const struct compare_request *request = comparison->request;
    struct report *report = comparison->report;
    struct error why = ERROR_INIT;
    struct utsname host = {0};

    *report = (struct report){
        .image = request->image, .runs = request->runs, .sandbox_count = request->sandbox_count};
    for (size_t i = 0; i < request->sandbox_count; i++)
        report->sandboxes[i].kind = request->sandboxes[i];
    uname(&host);
    snprintf(report->host, sizeof(report->host), "Linux %s, %s, %ld processors", host.release,
             host.machine, sysconf(_SC_NPROCESSORS_ONLN));
    if (string_list_add_all(&report->command, &request->command) < 0 ||
        string_list_add_all(&report->options, &request->options) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    comparison->grouped = run_group_prepare(&why) == 0;
    snprintf(comparison->ungrouped, sizeof(comparison->ungrouped), "%s", why.text);
    comparison->run_count = (unsigned)request->sandbox_count * (1 + TEMPERATURES * request->runs);
    if (request->costs || request->command.count == 0)
        comparison->run_count += costs_run_count(comparison);
    return 0;
}

/* Makes the rows in the order of the tables, whatever is measured first. */
static int make_rows(struct comparison *comparison, struct error *err)
{
    for (unsigned temperature = 0; temperature < TEMPERATURES; temperature++) {
        for (unsigned figure = 0; figure < FIGURES; figure++) {
            if (!figure_row(comparison, (enum figure)figure, (enum temperature)temperature))
                return error_set_errno(err, ENOMEM, "compare");
        }
    }
    return 0;
}

static int run_command(struct plan *plan, struct error *err)
{
    const struct compare_request *request = plan->comparison.request;
    int rc = make_rows(&plan->comparison, err);

    if (rc < 0)
        return rc;
    for (size_t sandbox = 0; sandbox < request->sandbox_count; sandbox++) {
        rc = try_sandbox(plan, sandbox, err);
        if (rc < 0)
            return rc;
    }
    for (unsigned i = 0; i < request->runs * TEMPERATURES; i++) {
        for (size_t j = 0; j < request->sandbox_count; j++) {
            rc = measure_once(plan, (i / TEMPERATURES + j) % request->sandbox_count,
                              (enum temperature)(i % TEMPERATURES), err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int compare_all(struct plan *plan, struct error *err)
{
    const struct compare_request *request = plan->comparison.request;
    int rc = begin(plan, err);

    if (rc < 0)
        return rc;
    rc = run_command(plan, err);
    if (rc < 0)
        return rc;
    if (note_outcomes(plan) < 0 || note_method(&plan->comparison) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    if (request->costs || request->command.count == 0 || wrote_nothing(plan)) {
        if (!request->costs && request->command.count > 0)
            plan->comparison.run_count += costs_run_count(&plan->comparison);
        rc = costs_measure(&plan->comparison, err);
        if (rc < 0)
            return rc;
    }
    report_finish(plan->comparison.report);
    return 0;
}

int compare_run(const struct compare_request *request, struct report *report, int *signal,
                struct error *err)
{
    struct plan plan = {.comparison = {.request = request, .report = report}};
    int rc = compare_all(&plan, err);

    for (size_t i = 0; i < SANDBOX_COUNT; i++)
        free(plan.first[i].output.bytes);
    *signal = plan.comparison.signal;
    return rc;
}
