/* SPDX-License-Identifier: Apache-2.0 */
/* Steps are noted once, and drawn and written in order of time, whatever order they came in. */
#include <stdlib.h>

#include <jansson.h>

#include "guest/doorbell_abi.h"
#include "tests/unit/unit.h"
#include "vmm/report/timeline.h"

#define MS 1000000ULL

static char *written(const struct timeline *timeline, int kind)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    if (kind < 0)
        assert_int_equal(timeline_write_json(timeline, out, NULL), 0);
    else
        timeline_write_chart(timeline, kind > 0, out);
    fclose(out);
    return text;
}

static void first_note_counts(void **state)
{
    struct timeline timeline = {0};

    (void)state;
    timeline_note(&timeline, TIMELINE_IMAGE, 5);
    timeline_note(&timeline, TIMELINE_IMAGE, 9);
    assert_int_equal(timeline.at_ns[TIMELINE_IMAGE], 5);
}

static void events_become_steps(void **state)
{
    static const struct {
        struct control_event event;
        enum timeline_step step;
    } cases[] = {
        {{.type = CONTROL_EVENT_STAGE, .stage = MACHINE_STAGE_KVM}, TIMELINE_KVM},
        {{.type = CONTROL_EVENT_RUNNING}, TIMELINE_LOADED},
        {{.type = CONTROL_EVENT_MARK, .mark = DOORBELL_MARK_INIT}, TIMELINE_KERNEL},
        {{.type = CONTROL_EVENT_MARK, .mark = DOORBELL_MARK_RUNTIME}, TIMELINE_INIT},
        {{.type = CONTROL_EVENT_MARK, .mark = DOORBELL_MARK_CONTAINER}, TIMELINE_RUNTIME},
        {{.type = CONTROL_EVENT_MARK, .mark = DOORBELL_MARK_EXIT}, TIMELINE_EXIT},
    };
    struct control_event *event = calloc(1, sizeof(*event));
    struct timeline timeline = {0};

    (void)state;
    assert_non_null(event);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        *event = cases[i].event;
        event->time_ns = 100 + i;
        timeline_note_event(&timeline, event);
        assert_int_equal(timeline.at_ns[cases[i].step], 100 + i);
    }
    *event = (struct control_event){.type = CONTROL_EVENT_MARK, .mark = 0xffffff, .time_ns = 7};
    timeline_note_event(&timeline, event); /* a guest may ring any mark */
    for (size_t step = 0; step < TIMELINE_STEPS; step++)
        assert_int_not_equal(timeline.at_ns[step], 7);
    free(event);
}

static void json_is_in_order_of_time(void **state)
{
    struct timeline timeline = {0};
    struct control_event *event = calloc(1, sizeof(*event));
    json_t *root;
    json_t *steps;
    char *text;

    (void)state;
    assert_non_null(event);
    timeline_note(&timeline, TIMELINE_COMMAND, 1000 * MS);
    timeline_note(&timeline, TIMELINE_RUNTIME, 1030 * MS);
    timeline_note(&timeline, TIMELINE_FIRST_BYTE, 1020 * MS); /* before the event that told it */
    timeline_note(&timeline, TIMELINE_END, 1100 * MS);
    event->type = CONTROL_EVENT_COUNTS;
    event->at = CONTROL_COUNTS_END;
    control_event_add_count(event, "exits.port", 42);
    control_event_add_count(event, "a\"b\033[31m", 1); /* from a monitor that a guest took over */
    timeline_note_event(&timeline, event);
    free(event);

    text = written(&timeline, -1);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one line */
    root = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(root);
    steps = json_object_get(root, "steps");
    assert_int_equal(json_array_size(steps), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 1), "step")),
                        "first_byte");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(steps, 1), "took_ns")),
                     20 * MS);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(steps, 2), "took_ns")),
                     10 * MS);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(steps, 3), "at_ns")),
                     100 * MS);
    assert_int_equal(json_integer_value(json_object_get(root, "total_ns")), 100 * MS);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(json_object_get(root, "counts"), "end"), "exits.port")),
                     42);
    json_decref(root);
}

static void chart_fits_its_width(void **state)
{
    struct timeline timeline = {0};
    char *text;

    (void)state;
    timeline_note(&timeline, TIMELINE_COMMAND, 10 * MS);
    timeline_note(&timeline, TIMELINE_IMAGE, 10 * MS); /* takes no time at all */
    timeline_note(&timeline, TIMELINE_KERNEL, 50 * MS);
    timeline_note(&timeline, TIMELINE_END, 90 * MS);
    text = written(&timeline, 0);
    assert_string_equal(text,
                        "image                0.00 ms  |\n"
                        "kernel              40.00 ms  ####################\n"
                        "clean-up            40.00 ms                      ####################\n"
                        "total               80.00 ms\n");
    free(text);
    text = written(&timeline, 1);
    assert_non_null(strstr(text, "█"));
    free(text);
}

static void without_steps_nothing_is_drawn(void **state)
{
    struct timeline timeline = {0};
    char *text = written(&timeline, 0);

    (void)state;
    assert_string_equal(text, "");
    free(text);
    timeline_note(&timeline, TIMELINE_COMMAND, 5);
    timeline_note(&timeline, TIMELINE_IMAGE, 5); /* total 0: no division by it */
    text = written(&timeline, 1);
    assert_non_null(strstr(text, "total"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_note_counts),
        cmocka_unit_test(events_become_steps),
        cmocka_unit_test(json_is_in_order_of_time),
        cmocka_unit_test(chart_fits_its_width),
        cmocka_unit_test(without_steps_nothing_is_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
