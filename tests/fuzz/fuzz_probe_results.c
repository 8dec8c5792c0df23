/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What microvm-probes says under an isolation: parsed, judged, and shown to a person and as
 * JSON. What is shown is harmless to a terminal, whatever was said.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/probe/probe_results.h"
#include "vmm/probe/probe_verdict.h"

static const char host_text[] =
    "{\"version\":\"#1 SMP\",\"boot_id\":\"0000\",\"ns_pid\":\"pid:[1]\",\"ns_net\":\"net:[1]\","
    "\"ns_uts\":\"uts:[1]\",\"ns_user\":\"user:[1]\",\"release\":\"6.1\",\"hostname\":\"host\"}";

static void give_verdicts(const struct probe_view *view, struct probe_report *report)
{
    for (size_t i = 0; i < probe_check_count && i < PROBE_ROWS_MAX; i++) {
        const struct probe_check *check = &probe_checks[i];
        struct probe_row *row = &report->rows[report->row_count++];

        row->name = check->name;
        row->group = check->group;
        row->title = check->title;
        row->tries = check->tries;
        row->side_effects = check->side_effects;
        probe_verdict(check, view, &row->cells[0]);
        if (row->cells[0].layer >= PROBE_LAYERS || !row->cells[0].result[0])
            abort();
    }
}

static void check_table(const struct probe_report *report)
{
    const struct probe_style style = {.columns = 100, .verbose = true};
    char *table = NULL;
    size_t size;
    FILE *out = open_memstream(&table, &size);

    if (!out)
        abort();
    probe_show(report, &style, out);
    fclose(out);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)table[i] < ' ' && table[i] != '\n')
            abort();
    }
    free(table);
}

static void check_json(const struct probe_report *report)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    json_t *again;

    if (!out || probe_write_json(report, out, NULL) < 0)
        abort();
    fclose(out);
    again = json_loadb(text, size, 0, NULL);
    if (!again)
        abort();
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct probe_thread_calls threads[PROBE_THREADS] = {{.thread = "vcpu"},
                                                                     {.thread = "loop"}};
    struct probe_report *report = calloc(1, sizeof(*report));
    json_t *host = json_loads(host_text, 0, NULL);
    char *text = malloc(size + 1);
    json_t *results;
    struct probe_view view = {.sandbox = sandbox_registry[size % SANDBOX_COUNT], .host = host};

    if (!report || !host || !text)
        abort();
    memcpy(text, data, size);
    results = probe_results_parse(text, size);
    if (!results)
        abort();
    view.results = results;
    view.own_kernel = probe_has_own_kernel(results, host);
    report->image = "image";
    report->sandboxes[0] = view.sandbox;
    report->sandbox_count = 1;
    report->monitor_calls = threads;
    report->own_kernel[0] = view.own_kernel;
    probe_calls_parse(json_object_get(results, "calls"), &report->calls[0]);
    give_verdicts(&view, report);
    check_table(report);
    check_json(report);
    json_decref(results);
    json_decref(host);
    free(text);
    free(report);
    return 0;
}
