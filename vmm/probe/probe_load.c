/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fork bomb and a memory hog against their limits, with a noisy neighbour check.
 *
 * They do no harm, see guest/probes/stress.c: they do not start unless a limit is visible, and caps
 * end them if a limit does not hold.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/json.h"
#include "vmm/base/text.h"
#include "vmm/probe/latency_monitor.h"
#include "vmm/probe/probe_private.h"
#include "vmm/probe/probe_results.h"
#include "vmm/probe/probe_verdict.h"

#define CALM_MS 500 /* measured before, to compare with the time during the run */
#define MIB     (1LL << 20)

struct attempt {
    const char *name;
    char argument[24];
    uint64_t memory_bytes;
};

static void fill_bomb(const json_t *result, struct probe_cell *cell)
{
    const char *path = probe_result_text(result, "path");
    long long forks = probe_result_number(result, "forks");
    const char *error = probe_result_text(result, "error");

    if (!error) {
        cell->layer = PROBE_NOTHING;
        snprintf(cell->result, sizeof(cell->result), "%lld forks, none refused", forks);
        return;
    }
    cell->layer = PROBE_CGROUP;
    text_format(cell->result, sizeof(cell->result), "%.20s after %lld forks", error, forks);
    text_format(cell->evidence, sizeof(cell->evidence), "%.80s says %lld", path ? path : "",
                probe_result_number(result, "limit"));
}

static void fill_hog(const struct sandbox *sandbox, const json_t *result, struct probe_cell *cell)
{
    const char *path = probe_result_text(result, "path");
    long long taken = probe_result_number(result, "taken") / MIB;
    bool own_memory = path && strcmp(path, "MemTotal") == 0;

    if (probe_result_number(result, "signal") <= 0) {
        cell->layer = PROBE_NOTHING;
        snprintf(cell->result, sizeof(cell->result), "%lld MiB taken, not killed", taken);
        return;
    }
    cell->layer = own_memory ? probe_own_kernel_layer(sandbox) : PROBE_CGROUP;
    snprintf(cell->result, sizeof(cell->result), "killed at %lld MiB", taken);
    text_format(cell->evidence, sizeof(cell->evidence),
                own_memory ? "%.80s: %lld MiB is all the memory of its VM" : "%.80s says %lld MiB",
                path ? path : "", probe_result_number(result, "limit") / MIB);
}

static void fill_neighbour(const struct latency_sample *calm, const struct latency_sample *during,
                           struct probe_cell *cell)
{
    cell->layer = PROBE_UNKNOWN;
    snprintf(cell->result, sizeof(cell->result), "%u -> %u loops/s, worst latency %.1f -> %.1f ms",
             latency_monitor_rate(calm), latency_monitor_rate(during), (double)calm->worst_ns / 1e6,
             (double)during->worst_ns / 1e6);
    snprintf(cell->evidence, sizeof(cell->evidence),
             "least MemAvailable %lld -> %lld MiB, most processes %d -> %d; a loop starts a "
             "process and touches 1 MiB; this includes the start of the run",
             calm->available_kib / 1024, during->available_kib / 1024, calm->processes,
             during->processes);
}

/* `text`: the reason, from inside or from microvm. */
static void fill_untested(const char *text, struct probe_cell *cell)
{
    cell->layer = PROBE_UNKNOWN;
    snprintf(cell->result, sizeof(cell->result), "not tested");
    text_copy(cell->evidence, sizeof(cell->evidence), text);
}

static int try_one(const struct probe_request *request, struct probe_report *report, size_t sandbox,
                   const struct attempt *attempt, struct probe_cell *cell,
                   struct probe_cell *neighbour, struct error *err)
{
    const struct probe_subcommand subcommand = {
        .sandbox = request->sandboxes[sandbox],
        .name = attempt->name,
        .argument = attempt->argument,
        .memory_bytes = attempt->memory_bytes,
    };
    struct latency_sample calm;
    struct latency_sample during;
    struct latency_monitor monitor;
    char why[PROBE_EVIDENCE_MAX] = "no result";
    AUTO_JSON json_t *results = NULL;
    const json_t *result;
    int rc = latency_monitor_run(CALM_MS, &calm, err);

    if (rc < 0)
        return rc;
    rc = latency_monitor_start(&monitor, err);
    if (rc < 0)
        return rc;
    rc = probe_run_subcommand(request, &subcommand, &results, why, &report->interrupted, err);
    during = latency_monitor_stop(&monitor);
    result = json_object_get(results, attempt->name);
    if (!result || !probe_result_text(result, "path")) {
        const char *text = probe_result_text(result, "text");

        fill_untested(text ? text : why, cell);
        fill_untested("its limit was not tried", neighbour);
    } else {
        if (strcmp(attempt->name, "bomb") == 0)
            fill_bomb(result, cell);
        else
            fill_hog(request->sandboxes[sandbox], result, cell);
        fill_neighbour(&calm, &during, neighbour);
    }
    return rc;
}

int probe_try_limits(const struct probe_request *request, struct probe_report *report,
                     size_t sandbox, struct probe_row *rows[4], struct error *err)
{
    struct attempt attempts[] = {
        {.name = "bomb", .memory_bytes = request->memory_bytes},
        {.name = "hog", .memory_bytes = request->hog_memory_bytes},
    };

    snprintf(attempts[0].argument, sizeof(attempts[0].argument), "%d", PROBE_PIDS_LIMIT);
    snprintf(attempts[1].argument, sizeof(attempts[1].argument), "%llu",
             (unsigned long long)request->hog_memory_bytes);
    for (size_t i = 0; i < 2 && !report->interrupted; i++) {
        int rc = try_one(request, report, sandbox, &attempts[i], &rows[2 * i]->cells[sandbox],
                         &rows[2 * i + 1]->cells[sandbox], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}
