/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as one JSON object (docs/guide/compare.md). */
#include <jansson.h>

#include "vmm/base/json.h"
#include "vmm/compare/compare_report.h"

#define DIGITS 15 /* as in the HTML page, which has the same numbers */

static json_t *list_to_json(const struct string_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_append(&array, json_from_text(list->items[i]));
    return array;
}

static json_t *sandboxes_to_json(const struct report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->sandbox_count; i++) {
        const struct report_sandbox *sandbox = &report->sandboxes[i];
        bool ran = !sandbox->reason[0];

        json_append(&array, json_pack("{s:s, s:s, s:b, s:o, s:o}", "name", sandbox->kind->name,
                                      "label", sandbox->kind->title, "ran", ran, "reason",
                                      ran ? json_null() : json_from_text(sandbox->reason), "status",
                                      ran ? json_integer(sandbox->status) : json_null()));
    }
    return array;
}

static json_t *cell_to_json(const struct report_sandbox *sandbox, const struct report_cell *cell)
{
    json_t *values = json_array();
    json_t *object;

    for (size_t i = 0; i < cell->count; i++)
        json_append(&values, json_real(cell->values[i]));
    object = json_pack("{s:s, s:o, s:s, s:o}", "isolation", sandbox->kind->name, "values", values,
                       "verdict", report_verdict_name(cell->verdict), "note",
                       cell->count == 0 ? json_from_text(cell->note) : json_null());
    if (cell->count > 0) {
        json_put(&object, "median", json_real(cell->summary.median));
        json_put(&object, "minimum", json_real(cell->summary.minimum));
        json_put(&object, "quartile1", json_real(cell->summary.quartile1));
        json_put(&object, "quartile3", json_real(cell->summary.quartile3));
        json_put(&object, "maximum", json_real(cell->summary.maximum));
    }
    if (cell->ratio > 0) {
        json_put(&object, "ratio", json_real(cell->ratio));
        json_put(&object, "probability", json_real(cell->probability));
    }
    return object;
}

static json_t *rows_to_json(const struct report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        json_t *cells = json_array();

        for (size_t j = 0; j < report->sandbox_count; j++)
            json_append(&cells, cell_to_json(&report->sandboxes[j], &row->cells[j]));
        json_append(&array, json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", row->id, "group",
                                      row->group, "label", row->label, "unit",
                                      report_unit_name(row->unit), "cells", cells));
    }
    return array;
}

int report_write_json(const struct report *report, FILE *out, struct error *err)
{
    int baseline = report_baseline(report);
    AUTO_JSON json_t *object = json_pack(
        "{s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "image", json_from_text(report->image),
        "command", list_to_json(&report->command), "options", list_to_json(&report->options),
        "runs", (int)report->runs, "host", json_from_text(report->host), "baseline",
        baseline >= 0 ? json_string(report->sandboxes[baseline].kind->name) : json_null(),
        "isolations", sandboxes_to_json(report), "rows", rows_to_json(report), "notes",
        list_to_json(&report->notes));

    return json_write(object, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS), out, err);
}
