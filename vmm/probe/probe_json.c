/* SPDX-License-Identifier: Apache-2.0 */
/* The report of `probe` as one JSON object. */
#include <string.h>

#include "vmm/base/json.h"
#include "vmm/base/syscall_name.h"
#include "vmm/probe/probe.h"

static json_t *make_cell(const struct probe_cell *cell)
{
    return json_pack("{s:s, s:s, s:s}", "result", cell->result, "layer",
                     probe_layer_name(cell->layer), "evidence", cell->evidence);
}

static json_t *make_row(const struct probe_report *report, const struct probe_row *row)
{
    json_t *sandboxes = json_object();

    for (size_t i = 0; i < report->sandbox_count; i++)
        json_put(&sandboxes, report->sandboxes[i]->name, make_cell(&row->cells[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "check", row->name, "group", row->group,
                     "title", row->title, "tries", row->tries, "side_effects", row->side_effects,
                     "isolations", sandboxes);
}

/* Names of the calls with one of these letters. */
static json_t *make_names(const struct probe_calls *calls, const char *letters)
{
    json_t *names = json_array();

    for (unsigned call = 0; calls->letters[call]; call++) {
        const char *name = syscall_name(call);

        if (name && strchr(letters, calls->letters[call]))
            json_append(&names, json_string(name));
    }
    return names;
}

static json_t *make_calls(const struct probe_calls *calls)
{
    if (!calls->valid)
        return json_null();
    return json_pack("{s:b, s:o, s:o, s:o, s:o}", "filter_tested", calls->filter_known, "present",
                     make_names(calls, "y"), "absent", make_names(calls, "n"), "untested",
                     make_names(calls, "u"), "stopped", make_names(calls, "sk"));
}

static json_t *make_sandboxes(const struct probe_report *report)
{
    json_t *sandboxes = json_array();

    for (size_t i = 0; i < report->sandbox_count; i++) {
        const char *why = report->why[i];

        json_append(&sandboxes, json_pack("{s:s, s:o, s:o}", "name", report->sandboxes[i]->name,
                                          "why", why[0] ? json_string(why) : json_null(), "calls",
                                          make_calls(&report->calls[i])));
    }
    return sandboxes;
}

static json_t *make_thread_calls(const struct probe_thread_calls *thread)
{
    json_t *calls = json_array();

    for (size_t i = 0; i < thread->count; i++) {
        const char *name = syscall_name(thread->calls[i]);

        json_append(&calls, json_string(name ? name : "?"));
    }
    return calls;
}

int probe_write_json(const struct probe_report *report, FILE *out, struct error *err)
{
    json_t *rows = json_array();
    json_t *monitor = json_object();
    AUTO_JSON json_t *root = NULL;

    for (size_t i = 0; i < report->row_count; i++)
        json_append(&rows, make_row(report, &report->rows[i]));
    for (size_t i = 0; i < PROBE_THREADS; i++)
        json_put(&monitor, report->monitor_calls[i].thread,
                 make_thread_calls(&report->monitor_calls[i]));
    root = json_pack("{s:s, s:o, s:o, s:o}", "image", report->image, "isolations",
                     make_sandboxes(report), "rows", rows, "monitor_calls", monitor);
    return json_write(root, JSON_INDENT(1), out, err);
}
