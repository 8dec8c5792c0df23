/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of `probe`, and the report of their results. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/text.h"
#include "vmm/probe/latency_monitor.h"
#include "vmm/probe/probe_host.h"
#include "vmm/probe/probe_private.h"
#include "vmm/probe/probe_results.h"
#include "vmm/probe/probe_verdict.h"

static const char group_limits[] = "Limits";
static const char group_calls[] = "System calls";

#define SECCOMP_FILTERED 2 /* of Seccomp in /proc/PID/status */

/* ---- one run --------------------------------------------------------------------------------- */

/* Returns 0 or -ENOMEM. */
static int make_options(const struct probe_request *request,
                        const struct probe_subcommand *subcommand, struct string_list *options,
                        struct string_list *command)
{
    if (string_list_add_format(options, "--program=%s", request->program) < 0 ||
        string_list_add_format(options, "--pids-limit=%d", PROBE_PIDS_LIMIT) < 0 ||
        (subcommand->memory_bytes > 0 &&
         string_list_add_format(options, "--memory=%llu",
                                (unsigned long long)subcommand->memory_bytes) < 0) ||
        string_list_add(command, subcommand->name) < 0 ||
        (subcommand->argument && string_list_add(command, subcommand->argument) < 0))
        return -ENOMEM;
    return 0;
}

int probe_run_subcommand(const struct probe_request *request,
                         const struct probe_subcommand *subcommand, json_t **results,
                         char why[PROBE_EVIDENCE_MAX], int *interrupted, struct error *err)
{
    AUTO_STRING_LIST struct string_list options = {0};
    AUTO_STRING_LIST struct string_list command = {0};
    const struct trial_request trial_request = {
        .sandbox = subcommand->sandbox,
        .options = &options,
        .image = request->image,
        .command = &command,
        .output_max = PROBE_OUTPUT_MAX,
        .signal_fd = request->signal_fd,
        .started = subcommand->started,
        .opaque = subcommand->opaque,
    };
    AUTO_TRIAL_RESULT struct trial_result result = {0};
    const struct trial_text *output = &result.streams[TRIAL_OUTPUT];
    int rc;

    *results = NULL;
    if (make_options(request, subcommand, &options, &command) < 0)
        return error_set_errno(err, ENOMEM, "probe");
    rc = trial_run(&trial_request, &result, err);
    *interrupted = result.interrupted;
    if (rc < 0)
        return rc;
    if (result.status != 0 || trial_failed(&result)) {
        trial_why(&result, why, PROBE_EVIDENCE_MAX);
        return 0;
    }
    *results = probe_results_parse(output->bytes ? output->bytes : "", output->size);
    return *results ? 0 : error_set_errno(err, ENOMEM, "probe");
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct probe_row *probe_add_row(struct probe_report *report, const char *name, const char *group,
                                const char *title, const char *tries, const char *side_effects)
{
    struct probe_row *row =
        report->row_count < PROBE_ROWS_MAX ? &report->rows[report->row_count++] : NULL;

    if (row)
        *row = (struct probe_row){.name = name,
                                  .group = group,
                                  .title = title,
                                  .tries = tries,
                                  .side_effects = side_effects};
    return row;
}

static void fill_calls(const struct probe_calls *calls, const struct probe_view *view,
                       struct probe_cell *cell)
{
    unsigned let = calls->known - calls->stopped;

    if (!calls->valid) {
        snprintf(cell->result, sizeof(cell->result), "not tested");
        snprintf(cell->evidence, sizeof(cell->evidence),
                 "the list of system calls is missing or malformed");
        return;
    }
    if (!calls->filter_known)
        snprintf(cell->result, sizeof(cell->result), "unknown: filters cannot be tested here");
    else
        snprintf(cell->result, sizeof(cell->result), "%u of %u", let, calls->known);
    cell->layer = calls->stopped > 0     ? PROBE_SECCOMP
                  : !calls->filter_known ? PROBE_UNKNOWN
                  : view->own_kernel     ? probe_own_kernel_layer(view->sandbox)
                                         : PROBE_NOTHING;
    snprintf(cell->evidence, sizeof(cell->evidence),
             "the filter of %s kernel stops %u; each was tested without being executed",
             view->own_kernel ? "its own" : "the host's", calls->stopped);
}

static void fill_reachable(const struct probe_calls *calls, struct probe_cell *cell)
{
    if (!calls->valid) {
        snprintf(cell->result, sizeof(cell->result), "not tested");
        return;
    }
    snprintf(cell->result, sizeof(cell->result), "%u present, %u absent, %u not tested",
             calls->present, calls->absent, calls->untested);
    snprintf(
        cell->evidence, sizeof(cell->evidence),
        "each was made with -1 for every argument; ENOSYS means absent; %u would have an effect "
        "even so, and were not made",
        calls->untested);
}

/* The monitor's own calls: what is left to a guest that has broken out into its monitor. */
static void fill_monitor(const struct probe_report *report, const struct sandbox *sandbox,
                         int seccomp, struct probe_cell *cell)
{
    if (!(sandbox->traits & SANDBOX_MONITOR)) {
        snprintf(cell->result, sizeof(cell->result), "no monitor");
        return;
    }
    if (seccomp != SECCOMP_FILTERED) {
        snprintf(cell->result, sizeof(cell->result), "not tested");
        snprintf(cell->evidence, sizeof(cell->evidence),
                 seccomp < 0 ? "the monitor was not found while it ran"
                             : "the monitor ran without a filter (Seccomp: %d)",
                 seccomp);
        return;
    }
    cell->layer = PROBE_SECCOMP;
    snprintf(cell->result, sizeof(cell->result), "%zu a vCPU, %zu the I/O loop",
             report->monitor_calls[0].count, report->monitor_calls[1].count);
    snprintf(cell->evidence, sizeof(cell->evidence),
             "by the monitor's own filter; /proc/PID/status of the running monitor had Seccomp: %d",
             seccomp);
}

/* The rows that are the same for every sandbox, in the order of the table. */
struct rows {
    struct probe_row *checks;
    struct probe_row *limits[4];
    struct probe_row *let, *reachable, *monitor;
};

static void make_rows(struct probe_report *report, struct rows *rows)
{
    static const char load[] = "processes or memory up to the limit, at most 200 and 256 MiB";
    static const char loop[] = "a process on the host starts processes and touches 1 MiB";
    static const char small[] = "none: that process uses little of the host's time";

    rows->checks = &report->rows[0];
    for (size_t i = 0; i < probe_check_count; i++)
        probe_add_row(report, probe_checks[i].name, probe_checks[i].group, probe_checks[i].title,
                      probe_checks[i].tries, probe_checks[i].side_effects);
    rows->limits[0] =
        probe_add_row(report, "bomb", group_limits, "fork bomb", "fork(2) until refused", load);
    rows->limits[1] =
        probe_add_row(report, "bomb_neighbour", group_limits, "noisy neighbour", loop, small);
    rows->limits[2] =
        probe_add_row(report, "hog", group_limits, "memory hog", "touch memory until killed", load);
    rows->limits[3] =
        probe_add_row(report, "hog_neighbour", group_limits, "noisy neighbour", loop, small);
    rows->let = probe_add_row(report, "calls", group_calls, "allowed by seccomp",
                              "test the filters with each system call",
                              "none: the kernel executes none of them");
    rows->reachable = probe_add_row(report, "calls_present", group_calls, "of these, in the kernel",
                                    "make each allowed call, with -1 for every argument",
                                    "none: calls that would have an effect even so are left out");
    rows->monitor =
        probe_add_row(report, "monitor", group_calls, "the monitor, to the host",
                      "read its list of calls and its /proc/PID/status", "none: it only reads");
}

/* ---- one sandbox ----------------------------------------------------------------------------- */

static void note_run(void *opaque, pid_t pid)
{
    atomic_store(&((struct monitor_watch *)opaque)->run, pid);
}

static void fill_sandbox(struct probe_report *report, size_t sandbox, const struct probe_view *view,
                         int seccomp, const struct rows *rows)
{
    for (size_t i = 0; i < probe_check_count; i++)
        probe_verdict(&probe_checks[i], view, &rows->checks[i].cells[sandbox]);
    probe_calls_parse(json_object_get(view->results, "calls"), &report->calls[sandbox]);
    fill_calls(&report->calls[sandbox], view, &rows->let->cells[sandbox]);
    fill_reachable(&report->calls[sandbox], &rows->reachable->cells[sandbox]);
    fill_monitor(report, view->sandbox, seccomp, &rows->monitor->cells[sandbox]);
}

static void fill_all(struct probe_report *report, size_t sandbox, const char *why)
{
    for (size_t i = 0; i < report->row_count; i++) {
        struct probe_cell *cell = &report->rows[i].cells[sandbox];

        snprintf(cell->result, sizeof(cell->result), "not tested");
        text_copy(cell->evidence, sizeof(cell->evidence), why);
    }
}

static int check_sandbox(const struct probe_request *request, struct probe_report *report,
                         size_t sandbox, const json_t *host, pid_t outside, struct rows *rows,
                         struct error *err)
{
    char argument[16];
    struct monitor_watch watch;
    const struct probe_subcommand subcommand = {
        .sandbox = request->sandboxes[sandbox],
        .name = "check",
        .argument = argument,
        .memory_bytes = request->memory_bytes,
        .started = note_run,
        .opaque = &watch,
    };
    char *why = report->why[sandbox];
    AUTO_JSON json_t *results = NULL;
    struct probe_view view;
    int seccomp;
    int rc = monitor_watch_start(&watch, err);

    if (rc < 0)
        return rc;
    snprintf(argument, sizeof(argument), "%d", (int)outside);
    rc = probe_run_subcommand(request, &subcommand, &results, why, &report->interrupted, err);
    seccomp = monitor_watch_stop(&watch);
    if (rc < 0)
        return rc;
    if (results && !json_object_get(results, "self"))
        snprintf(why, PROBE_EVIDENCE_MAX, "microvm-probes wrote no valid results");
    if (why[0]) {
        fill_all(report, sandbox, why);
        return 0;
    }
    view = (struct probe_view){
        .sandbox = request->sandboxes[sandbox],
        .results = results,
        .host = host,
        .own_kernel = probe_has_own_kernel(results, host),
    };
    report->own_kernel[sandbox] = view.own_kernel;
    fill_sandbox(report, sandbox, &view, seccomp, rows);
    return report->interrupted ? 0 : probe_try_limits(request, report, sandbox, rows->limits, err);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* A process of the host, as a target for the checks: it waits, and ends with this one. */
static pid_t start_outside(void)
{
    const pid_t self = getpid();
    pid_t child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self)
            _exit(0);
        prctl(PR_SET_NAME, "probe-target");
        for (;;)
            pause();
    }
    return child;
}

static int check_all(const struct probe_request *request, struct probe_report *report,
                     pid_t outside, struct error *err)
{
    AUTO_JSON json_t *host = probe_host_look();
    struct rows rows;

    if (!host)
        return error_set_errno(err, ENOMEM, "probe");
    make_rows(report, &rows);
    for (size_t i = 0; i < request->sandbox_count; i++) {
        int rc = 0;

        report->sandboxes[i] = request->sandboxes[i];
        if (report->interrupted)
            fill_all(report, i, "a signal ended the checks");
        else
            rc = check_sandbox(request, report, i, host, outside, &rows, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int probe_run(const struct probe_request *request, struct probe_report *report, struct error *err)
{
    pid_t outside = start_outside();
    int rc;

    *report = (struct probe_report){.image = request->image,
                                    .sandbox_count = request->sandbox_count,
                                    .monitor_calls = request->monitor_calls};
    rc = check_all(request, report, outside, err);
    if (outside > 0) {
        kill(outside, SIGKILL);
        waitpid(outside, NULL, 0);
    }
    return rc;
}
