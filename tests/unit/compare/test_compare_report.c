/* SPDX-License-Identifier: Apache-2.0 */
/* The verdicts of a comparison, and its output as a table, as JSON and as a page, all safe whatever
 * came from inside a sandbox. */
#include <stdlib.h>

#include <jansson.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/compare/compare_report.h"
#include "vmm/trial/run_group.h"

enum { CONTAINER, VM, GVISOR };

static void add_values(struct report *report, const char *id, enum report_unit unit, size_t sandbox,
                       const double values[5])
{
    struct report_row *row = report_add_row(report, id, "the command, warm", id, unit);

    assert_non_null(row);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(report_add_value(row, sandbox, values[i]), 0);
}

static void make_report(struct report *report, size_t sandboxes)
{
    *report = (struct report){.image = "busybox", .runs = 5, .sandbox_count = sandboxes};
    report->sandboxes[CONTAINER] = (struct report_sandbox){.kind = &sandbox_container};
    report->sandboxes[VM] = (struct report_sandbox){.kind = &sandbox_vm};
    report->sandboxes[GVISOR] = (struct report_sandbox){.kind = &sandbox_gvisor};
    add_values(report, "run", REPORT_TIME, CONTAINER, (double[]){50e6, 40e6, 60e6, 45e6, 55e6});
    add_values(report, "run", REPORT_TIME, VM, (double[]){1.5e9, 1.4e9, 1.6e9, 1.45e9, 1.55e9});
    add_values(report, "memory", REPORT_MEMORY, CONTAINER,
               (double[]){4194304, 4194304, 4194304, 4194304, 4194304});
    add_values(report, "memory", REPORT_MEMORY, VM,
               (double[]){4194304, 4194304, 4194303, 4194304, 4194305});
    assert_int_equal(string_list_add(&report->command, "true"), 0);
}

static char *written(const struct report *report, int columns)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    if (columns > 0)
        report_write_table(report, (unsigned)columns, false, out);
    else if (columns == 0)
        report_write_html(report, out);
    else
        assert_int_equal(report_write_json(report, out, NULL), 0);
    fclose(out);
    return text;
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void medians_have_verdicts(void **state)
{
    struct report report;
    const struct report_cell *cell;

    (void)state;
    make_report(&report, 2);
    report_finish(&report);
    cell = &report.rows[0].cells[VM];
    assert_int_equal(cell->verdict, REPORT_DIFFERENT);
    assert_true(cell->ratio > 29.99 && cell->ratio < 30.01);
    assert_int_equal(report.rows[0].cells[CONTAINER].verdict, REPORT_BASELINE);
    assert_int_equal(report.rows[1].cells[VM].verdict, REPORT_SAME);
    report_release(&report);

    make_report(&report, 2);
    snprintf(report.sandboxes[CONTAINER].reason, sizeof(report.sandboxes[CONTAINER].reason),
             "broken");
    report_finish(&report);
    assert_int_equal(report.rows[0].cells[VM].verdict, REPORT_NO_BASELINE);
    report_release(&report);

    make_report(&report, 2);
    report.rows[0].cells[VM].count = 3;
    report_finish(&report);
    assert_int_equal(report.rows[0].cells[VM].verdict, REPORT_TOO_FEW);
    report_release(&report);
}

static void numbers_have_three_digits(void **state)
{
    static const struct {
        double value;
        enum report_unit unit;
        const char *text;
    } cases[] = {
        {0.5, REPORT_TIME, "0.50 ns"},    {999, REPORT_TIME, "999 ns"},
        {12345, REPORT_TIME, "12.3 us"},  {1234567, REPORT_TIME, "1.23 ms"},
        {2.5e11, REPORT_TIME, "250 s"},   {1536, REPORT_MEMORY, "1.50 KiB"},
        {0, REPORT_MEMORY, "0.00 B"},     {104857600, REPORT_RATE, "100 MiB/s"},
        {5e9, REPORT_RATE, "4.66 GiB/s"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[REPORT_NUMBER_SIZE];

        report_format_number(cases[i].value, cases[i].value, cases[i].unit, false, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void sandboxes_are_side_by_side(void **state)
{
    struct report report;
    char *text;

    (void)state;
    make_report(&report, 2);
    report_finish(&report);
    text = written(&report, 100);
    expect_in(text, "\nthe command, warm               container                      micro-VM\n"
                    "  run                           50.0 ms                        "
                    "1.50 s  30.0x\n"
                    "                                40.0 [45.0 55.0] 60.0 ms       "
                    "1.40 [1.45 1.55] 1.60 s\n");
    expect_in(text, "4.00 MiB  no difference shown\n");
    free(text);
    report_release(&report);
}

/* At every width with one sandbox a line, no line is longer than the terminal. */
static void narrow_terminals_are_respected(void **state)
{
    struct report report;

    (void)state;
    make_report(&report, 3);
    assert_int_equal(string_list_add(&report.notes, "one two three four five six seven eight nine "
                                                    "ten eleven twelve thirteen fourteen"),
                     0);
    report_finish(&report);
    for (int columns = 72; columns < 130; columns++) {
        char *text = written(&report, columns);

        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= (size_t)columns);
        expect_in(text, "micro-VM");
        expect_in(text, "30.0x");
        free(text);
    }
    report_release(&report);
}

static const char evil[] = "<script>&\"'\033[2J\xff\u202e\u00fc</script>";

static void make_evil(struct report *report)
{
    make_report(report, 3);
    report->image = evil;
    snprintf(report->sandboxes[GVISOR].reason, sizeof(report->sandboxes[GVISOR].reason), "%s",
             evil);
    report_add_note(&report->rows[0], GVISOR, "%s", evil);
    assert_int_equal(string_list_add(&report->command, evil), 0);
    assert_int_equal(string_list_add(&report->options, evil), 0);
    assert_int_equal(string_list_add(&report->notes, evil), 0);
    report_finish(report);
}

static void a_page_runs_nothing(void **state)
{
    struct report report;
    char *text;

    (void)state;
    make_evil(&report);
    text = written(&report, 0);
    assert_null(strstr(text, "<script"));
    assert_null(strchr(text, '\033'));
    assert_null(strstr(text, "://"));
    expect_in(text, "&lt;script&gt;&amp;&quot;&#39;?[2J??\u00fc&lt;/script&gt;");
    expect_in(text, "data-row=\"run\" data-isolation=\"vm\" data-field=\"median\" "
                    "data-value=\"1500000000\">1.50 s</td>");
    free(text);
    report_release(&report);
}

static void a_terminal_gets_no_controls(void **state)
{
    struct report report;

    (void)state;
    make_evil(&report);
    for (int columns = 60; columns < 130; columns += 60) {
        char *text = written(&report, columns);

        assert_null(strchr(text, '\033'));
        for (const char *at = text; *at; at++)
            assert_true((unsigned char)*at < 0x80); /* the terminal is not UTF-8 */
        free(text);
    }
    report_release(&report);
}

static void json_holds_everything(void **state)
{
    struct report report;
    char *text;
    json_t *object;
    json_t *cell;

    (void)state;
    make_evil(&report);
    text = written(&report, -1);
    object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "baseline")), "container");
    cell = json_array_get(
        json_object_get(json_array_get(json_object_get(object, "rows"), 0), "cells"), VM);
    assert_string_equal(json_string_value(json_object_get(cell, "verdict")), "different");
    assert_int_equal(json_array_size(json_object_get(cell, "values")), 5);
    assert_true(json_real_value(json_object_get(cell, "median")) == 1.5e9);
    assert_true(json_real_value(json_object_get(cell, "quartile3")) == 1.55e9);
    assert_true(json_is_null(json_object_get(cell, "note")));
    cell = json_array_get(
        json_object_get(json_array_get(json_object_get(object, "rows"), 0), "cells"), GVISOR);
    assert_null(json_object_get(cell, "median"));
    assert_string_equal(json_string_value(json_object_get(cell, "note")),
                        "<script>&\"'\033[2J?\u202e\u00fc</script>");
    json_decref(object);
    free(text);
    report_release(&report);
}

static void groups_have_owners(void **state)
{
    (void)state;
    assert_int_equal(run_group_owner("microvm-compare.17.3"), 17);
    assert_int_equal(run_group_owner("microvm-compare.17"), 0);
    assert_int_equal(run_group_owner("microvm-compare.0.1"), 0);
    assert_int_equal(run_group_owner("microvm-compare.-1.1"), 0);
    assert_int_equal(run_group_owner("microvm-compare.1x.1"), 0);
    assert_int_equal(run_group_owner("microvm-compare.99999999999999999999.1"), 0);
    assert_int_equal(run_group_owner("microvm-quiet_owl"), 0);
    assert_int_equal(run_group_owner("system.slice"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_have_verdicts),
        cmocka_unit_test(numbers_have_three_digits),
        cmocka_unit_test(sandboxes_are_side_by_side),
        cmocka_unit_test(narrow_terminals_are_respected),
        cmocka_unit_test(a_page_runs_nothing),
        cmocka_unit_test(a_terminal_gets_no_controls),
        cmocka_unit_test(json_holds_everything),
        cmocka_unit_test(groups_have_owners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
