/* SPDX-License-Identifier: Apache-2.0 */
/* The rows are the counts, the sums are right, and untrusted names make no rows. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/report/exit_statistics.h"

static void add(struct timeline_counts *counts, const char *name, uint64_t value)
{
    struct control_count *item = &counts->items[counts->count++];

    snprintf(item->name, sizeof(item->name), "%s", name);
    item->value = value;
}

static char *written(const struct timeline_counts *counts)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    exit_statistics_write(counts, out);
    fclose(out);
    return text;
}

/* The words of the line that begins with `label`, each after one space. */
static void assert_row(const char *text, const char *label, const char *expected)
{
    char row[256] = "";
    const char *at = strstr(text, label);

    if (!at)
        fail_msg("no row '%s' in:\n%s", label, text);
    for (at += strlen(label); at && *at && *at != '\n'; at++) {
        if (*at != ' ')
            strncat(row, at, 1);
        else if (at[1] != ' ' && at[1] != '\n')
            strcat(row, " ");
    }
    assert_string_equal(row, expected);
}

static void rows_are_counts(void **state)
{
    struct timeline_counts counts = {0};
    char *text;

    (void)state;
    add(&counts, "exits.port", 4);
    add(&counts, "exits.port.ns", 10000);
    add(&counts, "exits.mmio", 6);
    add(&counts, "exits.mmio.ns", 2000000);
    add(&counts, "exits.other", 0);
    add(&counts, "exits", 10);
    add(&counts, "doorbell.reads", 1);
    add(&counts, "doorbell.writes", 3);
    add(&counts, "doorbell.ns", 8000);
    add(&counts, "vsock.reads", 4);
    add(&counts, "vsock.writes", 2);
    add(&counts, "vsock.status.reads", 4);
    add(&counts, "vsock.status.writes", 1);
    add(&counts, "vsock.status.ns", 500);
    add(&counts, "vsock.features.reads", 0);
    add(&counts, "vsock.features.writes", 1);
    add(&counts, "unclaimed.port", 7);
    add(&counts, "vsock.tx.kicks", 5);
    add(&counts, "vsock.tx.ns", 50000);
    add(&counts, "vsock.tx.notified", 2);
    add(&counts, "vsock.tx.suppressed", 3);
    add(&counts, "vsock.rx.kicks", 0);
    add(&counts, "vsock.rx.notified", 9);
    text = written(&counts);
    assert_row(text, "KVM_EXIT_IO: an I/O port", " 4 0.010 ms 2.50 us");
    assert_row(text, "KVM_EXIT_MMIO: a register in memory", " 6 2.000 ms 333.33 us");
    assert_row(text, "  all ", " 10 2.010 ms 201.00 us");
    assert_row(text, "  doorbell", " 1 3 0.008 ms 2.00 us");
    assert_row(text, "vsock: Status", " 4 1 0.001 ms 0.10 us");
    assert_row(text, "vsock: feature bits", " 0 1 0.000 ms 0.00 us");
    assert_row(text, "vsock tx", " 5 0.050 ms 10.00 us 2 3");
    assert_row(text, "vsock rx", " 0 0.000 ms 9 0");
    assert_row(text, "ports without a device", " 7");
    assert_null(strstr(text, "all other kinds"));
    free(text);
}

static void malformed_names_make_no_rows(void **state)
{
    struct timeline_counts counts = {0};
    char *text;

    (void)state;
    add(&counts, "\033[2Jx.reads", 1);
    add(&counts, "\033]0;x.y.kicks", 1);
    add(&counts, ".reads", 1);
    add(&counts, "a.b.c.kicks", 77777);
    add(&counts, "%s%n.reads", 1);
    text = written(&counts);
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '%'));
    assert_null(strstr(text, "77777"));
    free(text);
}

static void missing_counts_are_reported(void **state)
{
    struct timeline_counts counts = {0};
    char *text = written(&counts);

    (void)state;
    assert_non_null(strstr(text, "not available"));
    assert_null(strstr(text, "KVM_EXIT"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_counts),
        cmocka_unit_test(malformed_names_make_no_rows),
        cmocka_unit_test(missing_counts_are_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
