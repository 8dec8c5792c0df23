/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of `probe`, and the report made of what they said. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/printable.h"
#include "vmm/probe/latency_monitor.h"
#include "vmm/probe/probe_answers.h"
#include "vmm/probe/probe_host.h"
#include "vmm/probe/probe_judge.h"
#include "vmm/probe/probe_private.h"

static const char limits[] = "Limits";
static const char calls[] = "System calls";

#define SECCOMP_FILTERED 2 /* of Seccomp in /proc/PID/status */

/* ---- one run --------------------------------------------------------------------------------- */

static int make_options(const struct probe_request *request, const struct probe_word *word,
                        struct string_list *options, struct string_list *command)
{
    int rc = string_list_add_format(options, "--program=%s", request->program);

    if (rc == 0)
        rc = string_list_add_format(options, "--pids-limit=%d", PROBE_PIDS_LIMIT);
    if (rc == 0 && word->memory_bytes > 0)
        rc = string_list_add_format(options, "--memory=%llu",
                                    (unsigned long long)word->memory_bytes);
    if (rc == 0)
        rc = string_list_add(command, word->word);
    if (rc == 0 && word->argument)
        rc = string_list_add(command, word->argument);
    return rc;
}

int probe_run_word(const struct probe_request *request, const struct probe_word *word,
                   json_t **answers, char why[PROBE_EVIDENCE_MAX], int *interrupted,
                   struct error *err)
{
    AUTO_STRING_LIST struct string_list options = {0};
    AUTO_STRING_LIST struct string_list command = {0};
    const struct trial_request trial_request = {
        .sandbox = word->sandbox,
        .options = &options,
        .image = request->image,
        .command = &command,
        .output_max = PROBE_OUTPUT_MAX,
        .signal_fd = request->signal_fd,
        .started = word->started,
        .opaque = word->opaque,
    };
    struct trial_result result;
    int rc;

    *answers = NULL;
    if (make_options(request, word, &options, &command) < 0)
        return error_set_errno(err, ENOMEM, "probe");
    rc = trial_run(&trial_request, &result, err);
    if (rc == 0 && (result.status != 0 || trial_failed(&result))) {
        trial_why(&result, why, PROBE_EVIDENCE_MAX);
    } else if (rc == 0) {
        const struct trial_text *output = &result.streams[TRIAL_OUTPUT];

        *answers = probe_answers_parse(output->bytes ? output->bytes : "", output->size);
        if (!*answers)
            rc = error_set_errno(err, ENOMEM, "probe");
    }
    *interrupted = result.interrupted;
    trial_result_release(&result);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct probe_row *probe_add_row(struct probe_report *report, const char *name, const char *group,
                                const char *title, const char *harmless)
{
    struct probe_row *row =
        report->row_count < PROBE_ROWS_MAX ? &report->rows[report->row_count++] : NULL;

    if (row)
        *row =
            (struct probe_row){.name = name, .group = group, .title = title, .harmless = harmless};
    return row;
}

static void fill_calls(const struct probe_calls *told, const struct probe_view *view,
                       struct probe_cell *cell)
{
    unsigned let = told->known - told->stopped;

    if (!told->told) {
        snprintf(cell->answer, sizeof(cell->answer), "could not be asked");
        snprintf(cell->evidence, sizeof(cell->evidence),
                 "the survey is missing or not well formed");
        return;
    }
    if (!told->filter_told)
        snprintf(cell->answer, sizeof(cell->answer), "unknown: filters cannot be asked here");
    else
        snprintf(cell->answer, sizeof(cell->answer), "%u of %u let through", let, told->known);
    cell->layer = told->stopped > 0    ? PROBE_SECCOMP
                  : !told->filter_told ? PROBE_UNKNOWN
                  : view->own_kernel   ? probe_own_kernel_layer(view->sandbox)
                                       : PROBE_NOTHING;
    snprintf(cell->evidence, sizeof(cell->evidence),
             "%s %u are stopped by the filter, each asked of it without being made",
             view->own_kernel ? "of its own kernel;" : "of the host's kernel;", told->stopped);
}

static void fill_reachable(const struct probe_calls *told, struct probe_cell *cell)
{
    if (!told->told) {
        snprintf(cell->answer, sizeof(cell->answer), "could not be asked");
        return;
    }
    snprintf(cell->answer, sizeof(cell->answer), "%u there, %u not, %u not asked", told->there,
             told->absent, told->unasked);
    snprintf(cell->evidence, sizeof(cell->evidence),
             "each was made with -1 for every argument; ENOSYS means that the kernel lacks it; %u "
             "would do something even so, and were not made",
             told->unasked);
}

/* The monitor's own: what a guest that has broken out of its machine could still ask of the host.
 */
static void fill_monitor(const struct probe_report *report, const struct sandbox *sandbox,
                         int seccomp, struct probe_cell *cell)
{
    if (!(sandbox->traits & SANDBOX_MONITOR)) {
        snprintf(cell->answer, sizeof(cell->answer), "no monitor");
        return;
    }
    if (seccomp != SECCOMP_FILTERED) {
        snprintf(cell->answer, sizeof(cell->answer), "could not be asked");
        snprintf(cell->evidence, sizeof(cell->evidence),
                 seccomp < 0 ? "the monitor was not seen while it ran"
                             : "the monitor ran without a filter (Seccomp: %d)",
                 seccomp);
        return;
    }
    cell->layer = PROBE_SECCOMP;
    snprintf(cell->answer, sizeof(cell->answer), "%zu may be made", report->monitor_call_count);
    snprintf(cell->evidence, sizeof(cell->evidence),
             "by vmm/confine; /proc/PID/status of the running monitor said Seccomp: %d", seccomp);
}

/* The rows that are the same for every sandbox, in the order of the table. */
struct rows {
    struct probe_row *questions;
    struct probe_row *limits[4];
    struct probe_row *let, *reachable, *monitor;
};

static void make_rows(struct probe_report *report, struct rows *rows)
{
    static const char load[] = "A limit is in place, or nothing is tried; 200 processes and 256 "
                               "MiB are never exceeded.";
    static const char felt[] = "A process of microvm on the host does little things and takes "
                               "the time.";

    rows->questions = &report->rows[0];
    for (size_t i = 0; i < probe_question_count; i++)
        probe_add_row(report, probe_questions[i].name, probe_questions[i].group,
                      probe_questions[i].title, probe_questions[i].harmless);
    rows->limits[0] = probe_add_row(report, "bomb", limits, "fork bomb", load);
    rows->limits[1] = probe_add_row(report, "bomb_felt", limits, "neighbour felt", felt);
    rows->limits[2] = probe_add_row(report, "hog", limits, "memory hog", load);
    rows->limits[3] = probe_add_row(report, "hog_felt", limits, "neighbour felt", felt);
    rows->let = probe_add_row(report, "calls", calls, "pass the filters",
                              "The filters are asked; the kernel never executes the call.");
    rows->reachable = probe_add_row(report, "calls_there", calls, "of these, in the kernel",
                                    "All arguments are -1; calls that would act even so are left "
                                    "out.");
    rows->monitor = probe_add_row(report, "monitor", calls, "the monitor, to the host",
                                  "It reads the monitor's own list and /proc/PID/status.");
}

/* ---- one sandbox --------------------------------------------------------------------------------
 */

static void note_run(void *opaque, pid_t pid)
{
    atomic_store(&((struct monitor_watch *)opaque)->run, pid);
}

static void judge_sandbox(struct probe_report *report, size_t sandbox,
                          const struct probe_view *view, int seccomp, const struct rows *rows)
{
    for (size_t i = 0; i < probe_question_count; i++)
        probe_judge(&probe_questions[i], view, &rows->questions[i].cells[sandbox]);
    probe_calls_parse(json_object_get(view->answers, "calls"), &report->calls[sandbox]);
    fill_calls(&report->calls[sandbox], view, &rows->let->cells[sandbox]);
    fill_reachable(&report->calls[sandbox], &rows->reachable->cells[sandbox]);
    fill_monitor(report, view->sandbox, seccomp, &rows->monitor->cells[sandbox]);
}

static void fill_all(struct probe_report *report, size_t sandbox, const char *why)
{
    for (size_t i = 0; i < report->row_count; i++) {
        struct probe_cell *cell = &report->rows[i].cells[sandbox];

        snprintf(cell->answer, sizeof(cell->answer), "could not be asked");
        printable_copy(cell->evidence, sizeof(cell->evidence), why);
    }
}

static int ask_sandbox(const struct probe_request *request, struct probe_report *report,
                       size_t sandbox, const json_t *host, pid_t outside, struct rows *rows,
                       struct error *err)
{
    char argument[16];
    struct monitor_watch watch;
    const struct probe_word word = {
        .sandbox = request->sandboxes[sandbox],
        .word = "ask",
        .argument = argument,
        .memory_bytes = request->memory_bytes,
        .started = note_run,
        .opaque = &watch,
    };
    char *why = report->why[sandbox];
    json_t *answers;
    int seccomp;
    int rc = monitor_watch_start(&watch, err);

    if (rc < 0)
        return rc;
    snprintf(argument, sizeof(argument), "%d", (int)outside);
    rc = probe_run_word(request, &word, &answers, why, &report->interrupted, err);
    seccomp = monitor_watch_stop(&watch);
    if (rc == 0 && answers && !json_object_get(answers, "self"))
        snprintf(why, PROBE_EVIDENCE_MAX, "microvm-probes said nothing that could be understood");
    if (rc == 0 && why[0]) {
        fill_all(report, sandbox, why);
    } else if (rc == 0) {
        const struct probe_view view = {
            .sandbox = request->sandboxes[sandbox],
            .answers = answers,
            .host = host,
            .own_kernel = probe_has_own_kernel(answers, host),
        };

        report->own_kernel[sandbox] = view.own_kernel;
        judge_sandbox(report, sandbox, &view, seccomp, rows);
        if (!report->interrupted)
            rc = probe_try_limits(request, report, sandbox, rows->limits, err);
    }
    json_decref(answers);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* A process of the host that expects to be asked: it waits, and ends with us. */
static pid_t start_outside(void)
{
    const pid_t self = getpid();
    pid_t child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self)
            _exit(0);
        prctl(PR_SET_NAME, "probe-witness");
        for (;;)
            pause();
    }
    return child;
}

int probe_run(const struct probe_request *request, struct probe_report *report, struct error *err)
{
    struct rows rows;
    pid_t outside = start_outside();
    json_t *host = probe_host_look();
    int rc = host ? 0 : error_set_errno(err, ENOMEM, "probe");

    *report =
        (struct probe_report){.image = request->image, .sandbox_count = request->sandbox_count};
    report->monitor_call_count = request->monitor_call_count;
    memcpy(report->monitor_calls, request->monitor_calls,
           request->monitor_call_count * sizeof(report->monitor_calls[0]));
    make_rows(report, &rows);
    for (size_t i = 0; i < request->sandbox_count && rc == 0; i++) {
        report->sandboxes[i] = request->sandboxes[i];
        if (report->interrupted)
            fill_all(report, i, "a signal ended the questions before");
        else
            rc = ask_sandbox(request, report, i, host, outside, &rows, err);
    }
    if (outside > 0) {
        kill(outside, SIGKILL);
        waitpid(outside, NULL, 0);
    }
    json_decref(host);
    return rc;
}
