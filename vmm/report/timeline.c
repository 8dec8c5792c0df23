/* SPDX-License-Identifier: Apache-2.0 */
/* Records when each step of a run was reached; draws and writes the timeline. */
#include "vmm/report/timeline.h"

#include <inttypes.h>
#include <string.h>

#include "guest/doorbell_abi.h"
#include "vmm/base/bytes.h"
#include "vmm/base/json.h"
#include "vmm/base/table.h"

#define CHART_WIDTH 40                          /* cells */
#define CELL_PARTS  8                           /* block elements divide a cell */
#define BAR_SIZE    ((CHART_WIDTH + 1) * 3 + 1) /* bytes: a block element takes three */

struct step_name {
    const char *key;   /* in JSON */
    const char *label; /* in the chart */
};

static const struct step_name step_names[TIMELINE_STEPS] = {
    [TIMELINE_COMMAND] = {"command", "command"},
    [TIMELINE_IMAGE] = {"image", "image"},
    [TIMELINE_ROOT] = {"root", "root and bundle"},
    [TIMELINE_MONITOR] = {"monitor", "monitor process"},
    [TIMELINE_KVM] = {"kvm", "KVM set-up"},
    [TIMELINE_LOADED] = {"loaded", "kernel loaded"},
    [TIMELINE_KERNEL] = {"kernel", "kernel"},
    [TIMELINE_INIT] = {"init", "init"},
    [TIMELINE_RUNTIME] = {"runtime", "crun"},
    [TIMELINE_FIRST_BYTE] = {"first_byte", "first byte"},
    [TIMELINE_EXIT] = {"exit", "command ran"},
    [TIMELINE_END] = {"end", "clean-up"},
};

void timeline_note(struct timeline *timeline, enum timeline_step step, uint64_t at_ns)
{
    if (timeline->at_ns[step] == 0)
        timeline->at_ns[step] = at_ns;
}

static void note_mark(struct timeline *timeline, uint32_t mark, uint64_t at_ns)
{
    switch (mark) {
    case DOORBELL_MARK_INIT:
        timeline_note(timeline, TIMELINE_KERNEL, at_ns);
        break;
    case DOORBELL_MARK_RUNTIME:
        timeline_note(timeline, TIMELINE_INIT, at_ns);
        break;
    case DOORBELL_MARK_CONTAINER:
        timeline_note(timeline, TIMELINE_RUNTIME, at_ns);
        break;
    case DOORBELL_MARK_EXIT:
        timeline_note(timeline, TIMELINE_EXIT, at_ns);
        break;
    default:
        break; /* a guest may ring any mark */
    }
}

void timeline_note_event(struct timeline *timeline, const struct control_event *event)
{
    switch (event->type) {
    case CONTROL_EVENT_STAGE:
        if (event->stage == MACHINE_STAGE_KVM)
            timeline_note(timeline, TIMELINE_KVM, event->time_ns);
        break;
    case CONTROL_EVENT_RUNNING:
        timeline_note(timeline, TIMELINE_LOADED, event->time_ns);
        break;
    case CONTROL_EVENT_MARK:
        note_mark(timeline, event->mark, event->time_ns);
        break;
    case CONTROL_EVENT_COUNTS:
        timeline->counts[event->at].count = event->count_count;
        memcpy(timeline->counts[event->at].items, event->counts,
               event->count_count * sizeof(event->counts[0]));
        break;
    case CONTROL_EVENT_END:
    case CONTROL_EVENT_UNKNOWN:
        break;
    }
}

/* The steps that were reached, in order of time (ties in the order of the enum). */
static unsigned sort_steps(const struct timeline *timeline, enum timeline_step steps[])
{
    unsigned count = 0;

    for (unsigned step = 0; step < TIMELINE_STEPS; step++) {
        uint64_t at = timeline->at_ns[step];
        unsigned place = count;

        if (at == 0)
            continue;
        for (; place > 0 && timeline->at_ns[steps[place - 1]] > at; place--)
            steps[place] = steps[place - 1];
        steps[place] = (enum timeline_step)step;
        count++;
    }
    return count;
}

/* Draws the bar of [from, to) out of `total`: adjacent bars touch, the shortest is visible. */
static void draw_bar(uint64_t from, uint64_t to, uint64_t total, bool unicode, char bar[BAR_SIZE])
{
    static const char *const parts[CELL_PARTS] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    uint64_t first = from * CHART_WIDTH / total;
    uint64_t eighths = to * CHART_WIDTH * CELL_PARTS / total;
    uint64_t whole = eighths / CELL_PARTS > first ? eighths / CELL_PARTS - first : 0;
    uint64_t part = eighths % CELL_PARTS;

    memset(bar, ' ', first);
    bar += first;
    for (uint64_t i = 0; i < whole; i++)
        bar = stpcpy(bar, unicode ? "█" : "#");
    if (unicode && first + whole < CHART_WIDTH)
        stpcpy(bar, parts[part > 0 || whole > 0 ? part : 1]);
    else
        stpcpy(bar, whole == 0 ? "|" : "");
}

void timeline_write_chart(const struct timeline *timeline, bool unicode, FILE *out)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_LEFT, 15}, {NULL, TABLE_RIGHT, 11}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 2};
    enum timeline_step steps[TIMELINE_STEPS];
    unsigned count = sort_steps(timeline, steps);
    uint64_t start;
    uint64_t total;

    if (count == 0)
        return;
    start = timeline->at_ns[steps[0]];
    total = timeline->at_ns[steps[count - 1]] - start;
    for (unsigned i = 1; i < count; i++) {
        uint64_t from = timeline->at_ns[steps[i - 1]] - start;
        uint64_t to = timeline->at_ns[steps[i]] - start;
        char bar[BAR_SIZE];

        draw_bar(from, to, total > 0 ? total : 1, unicode, bar);
        table_add(&table, "%s", step_names[steps[i]].label);
        table_add(&table, "%.2f ms", (double)(to - from) / 1e6);
        table_add(&table, "%s", bar);
    }
    table_add(&table, "total");
    table_add(&table, "%.2f ms", (double)total / 1e6);
    (void)table_write(&table, out); /* the output shows a failure */
}

static json_t *steps_to_json(const struct timeline *timeline, const enum timeline_step *steps,
                             unsigned count)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < count; i++) {
        json_int_t at = (json_int_t)(timeline->at_ns[steps[i]] - timeline->at_ns[steps[0]]);
        json_int_t before =
            i > 0 ? (json_int_t)(timeline->at_ns[steps[i - 1]] - timeline->at_ns[steps[0]]) : 0;

        json_append(&array, json_pack("{s:s, s:I, s:I}", "step", step_names[steps[i]].key, "at_ns",
                                      at, "took_ns", at - before));
    }
    return array;
}

static json_t *counts_to_json(const struct timeline_counts *counts)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < counts->count; i++)
        json_put(&object, counts->items[i].name, json_integer((json_int_t)counts->items[i].value));
    return object;
}

int timeline_write_json(const struct timeline *timeline, FILE *out, struct error *err)
{
    enum timeline_step steps[TIMELINE_STEPS];
    unsigned count = sort_steps(timeline, steps);
    uint64_t start = count > 0 ? timeline->at_ns[steps[0]] : 0;
    uint64_t total = count > 0 ? timeline->at_ns[steps[count - 1]] - start : 0;
    AUTO_JSON json_t *root =
        json_pack("{s:I, s:o, s:I, s:{s:o, s:o}}", "start_ns", (json_int_t)start, "steps",
                  steps_to_json(timeline, steps, count), "total_ns", (json_int_t)total, "counts",
                  "init", counts_to_json(&timeline->counts[CONTROL_COUNTS_INIT]), "end",
                  counts_to_json(&timeline->counts[CONTROL_COUNTS_END]));

    return json_write(root, JSON_COMPACT, out, err);
}
