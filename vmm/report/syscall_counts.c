/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a container's system calls; see syscall_counts.h. */
#include "vmm/report/syscall_counts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "vmm/base/bytes.h"
#include "vmm/base/syscall_name.h"
#include "vmm/base/table.h"

int syscall_table_add(struct syscall_table *table, const struct syscall_row *row, struct error *err)
{
    bool possible =
        (row->number < PROTOCOL_SYSCALL_NUMBERS || row->number == PROTOCOL_SYSCALL_OTHER) &&
        row->calls > 0 && row->errors <= row->calls;

    for (unsigned i = 0; possible && i < table->count; i++)
        possible = table->rows[i].number != row->number;
    if (!possible || table->count == ARRAY_LENGTH(table->rows))
        return error_set(err, EPROTO, "invalid system call counts from the guest (number %u)",
                         row->number);
    table->rows[table->count++] = *row;
    return 0;
}

static int longest_first(const void *one, const void *other)
{
    const struct syscall_row *a = one;
    const struct syscall_row *b = other;

    if (a->ns != b->ns)
        return a->ns < b->ns ? 1 : -1;
    return (a->number > b->number) - (a->number < b->number);
}

/* A guest may send any number: a sum saturates. */
static uint64_t sum(uint64_t one, uint64_t other)
{
    return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

static void add_row(struct table *table, const char *name, const struct syscall_row *row)
{
    table_add(table, "  %s", name);
    table_add(table, "%" PRIu64, row->calls);
    table_add(table, "%" PRIu64, row->errors);
    table_add(table, "%.3f ms", (double)row->ns / 1e6);
    table_add(table, "%.2f us", (double)row->ns / 1e3 / (double)row->calls);
}

void syscall_table_write(const struct syscall_table *table, FILE *out)
{
    static const struct table_column columns[] = {
        {"system calls of the container", TABLE_LEFT, 30},
        {"calls", TABLE_RIGHT, 10},
        {"errors", TABLE_RIGHT, 10},
        {"time", TABLE_RIGHT, 15},
        {"each", TABLE_RIGHT, 13},
    };
    AUTO_TABLE struct table shown = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};
    struct syscall_table sorted = *table;
    struct syscall_row all = {0};

    qsort(sorted.rows, sorted.count, sizeof(sorted.rows[0]), longest_first);
    for (unsigned i = 0; i < sorted.count; i++) {
        const struct syscall_row *row = &sorted.rows[i];
        const char *name = syscall_name(row->number);
        char number[32];

        snprintf(number, sizeof(number), "number %u", row->number);
        if (row->number == PROTOCOL_SYSCALL_OTHER)
            name = "(other)";
        add_row(&shown, name ? name : number, row);
        all.calls = sum(all.calls, row->calls);
        all.errors = sum(all.errors, row->errors);
        all.ns = sum(all.ns, row->ns);
    }
    if (sorted.count > 0)
        add_row(&shown, "all", &all);
    (void)table_write(&shown, out); /* the output shows a failure */
}
