/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what a machine cost; see exit_statistics.h.
 *
 * The names of the counts say what the rows are. They come from the monitor, which a guest may have
 * taken over: a name with anything but the characters of a count's name makes no row.
 */
#include "vmm/report/exit_statistics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/table.h"

#define LABEL_WIDTH 40
#define COUNT_WIDTH 9
#define TIME_WIDTH  12
#define EACH_WIDTH  11

/* As devices_visit_counts() names what registers are for. */
struct group {
    const char *name;
    const char *label;
};

static const struct group groups[] = {
    {"identity", "identification"},
    {"features", "feature bits"},
    {"queues", "queue set-up"},
    {"notify", "QueueNotify"},
    {"interrupts", "InterruptStatus, InterruptACK"},
    {"status", "Status"},
    {"config", "configuration space"},
    {"nothing", "no register"},
};

static uint64_t find(const struct timeline_counts *counts, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The value of the count with that name; 0 if it is missing. */
static uint64_t find(const struct timeline_counts *counts, const char *format, ...)
{
    char name[128];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    for (unsigned i = 0; i < counts->count; i++) {
        if (strcmp(counts->items[i].name, name) == 0)
            return counts->items[i].value;
    }
    return 0;
}

/* Whether `name` ends in `suffix` behind `dots` - 1 other dots; *length gets the part before it. */
static bool has_suffix(const char *name, const char *suffix, unsigned dots, int *length)
{
    size_t size = strlen(name);
    size_t suffix_size = strlen(suffix);

    if (size <= suffix_size || strcmp(name + size - suffix_size, suffix) != 0 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != size)
        return false;
    for (const char *at = name; *at; at++) {
        if (*at == '.' && dots-- == 0)
            return false;
    }
    *length = (int)(size - suffix_size);
    return dots == 0;
}

static void add_count(struct table *table, uint64_t count)
{
    table_add(table, "%" PRIu64, count);
}

static void add_time(struct table *table, uint64_t count, uint64_t ns)
{
    table_add(table, "%.3f ms", (double)ns / 1e6);
    if (count > 0)
        table_add(table, "%.2f us", (double)ns / 1e3 / (double)count);
    else
        table_add(table, "%s", "");
}

static void write_exits(const struct timeline_counts *counts, FILE *out)
{
    static const struct {
        const char *name;
        const char *label;
    } kinds[] = {
        {"exits.port", "KVM_EXIT_IO: an I/O port"},
        {"exits.mmio", "KVM_EXIT_MMIO: a register in memory"},
        {"exits.interrupted", "KVM_EXIT_INTR: a signal"},
        {"exits.other", "all other kinds"},
    };
    static const struct table_column columns[] = {
        {"exits to the monitor, by cause", TABLE_LEFT, LABEL_WIDTH},
        {"count", TABLE_RIGHT, COUNT_WIDTH},
        {"time", TABLE_RIGHT, TIME_WIDTH},
        {"each", TABLE_RIGHT, EACH_WIDTH},
    };
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};
    uint64_t all_ns = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        uint64_t count = find(counts, "%s", kinds[i].name);
        uint64_t ns = find(counts, "%s.ns", kinds[i].name);

        all_ns += ns;
        if (count == 0)
            continue;
        table_add(&table, "  %s", kinds[i].label);
        add_count(&table, count);
        add_time(&table, count, ns);
    }
    table_add(&table, "  all");
    add_count(&table, find(counts, "exits"));
    add_time(&table, find(counts, "exits"), all_ns);
    (void)table_write(&table, out); /* the output shows a failure */
}

static void add_access(struct table *table, const char *label, uint64_t reads, uint64_t writes,
                       uint64_t ns)
{
    table_add(table, "  %s", label);
    add_count(table, reads);
    add_count(table, writes);
    add_time(table, reads + writes, ns);
}

/* One row a group of a virtio device's registers; one for all where there are no groups. */
static void add_device_accesses(struct table *table, const struct timeline_counts *counts,
                                const char *name, int length)
{
    uint64_t reads = find(counts, "%.*s.reads", length, name);
    uint64_t writes = find(counts, "%.*s.writes", length, name);
    bool split = false;
    char label[128];

    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        const char *group = groups[i].name;
        uint64_t some_reads = find(counts, "%.*s.%s.reads", length, name, group);
        uint64_t some_writes = find(counts, "%.*s.%s.writes", length, name, group);

        if (some_reads + some_writes == 0)
            continue;
        split = true;
        snprintf(label, sizeof(label), "%.*s: %s", length, name, groups[i].label);
        add_access(table, label, some_reads, some_writes,
                   find(counts, "%.*s.%s.ns", length, name, group));
    }
    snprintf(label, sizeof(label), "%.*s", length, name);
    if (!split && reads + writes > 0)
        add_access(table, label, reads, writes, find(counts, "%.*s.ns", length, name));
}

static void write_accesses(const struct timeline_counts *counts, FILE *out)
{
    static const struct table_column columns[] = {
        {"accesses that the monitor handled", TABLE_LEFT, LABEL_WIDTH},
        {"reads", TABLE_RIGHT, COUNT_WIDTH},
        {"writes", TABLE_RIGHT, COUNT_WIDTH},
        {"time", TABLE_RIGHT, TIME_WIDTH},
        {"each", TABLE_RIGHT, EACH_WIDTH},
    };
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    for (unsigned i = 0; i < counts->count; i++) {
        int length;

        if (has_suffix(counts->items[i].name, ".reads", 1, &length))
            add_device_accesses(&table, counts, counts->items[i].name, length);
    }
    table_add(&table, "  ports without a device");
    add_count(&table, find(counts, "unclaimed.port"));
    table_end_row(&table);
    table_add(&table, "  addresses without a device");
    add_count(&table, find(counts, "unclaimed.mmio"));
    (void)table_write(&table, out); /* the output shows a failure */
}

static void write_queues(const struct timeline_counts *counts, FILE *out)
{
    static const struct table_column columns[] = {
        {"queues: available buffer notifications", TABLE_LEFT, LABEL_WIDTH},
        {"kicks", TABLE_RIGHT, COUNT_WIDTH},
        {"time", TABLE_RIGHT, TIME_WIDTH},
        {"each", TABLE_RIGHT, EACH_WIDTH},
        {"used sent", TABLE_RIGHT, COUNT_WIDTH},
        {"suppressed", TABLE_RIGHT, COUNT_WIDTH},
    };
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    for (unsigned i = 0; i < counts->count; i++) {
        const struct control_count *item = &counts->items[i];
        char label[64];
        int length;

        if (!has_suffix(item->name, ".kicks", 2, &length))
            continue;
        snprintf(label, sizeof(label), "%.*s", length, item->name);
        for (char *at = label; *at; at++)
            *at = *at == '.' ? ' ' : *at;
        table_add(&table, "  %s", label);
        add_count(&table, item->value);
        add_time(&table, item->value, find(counts, "%.*s.ns", length, item->name));
        add_count(&table, find(counts, "%.*s.notified", length, item->name));
        add_count(&table, find(counts, "%.*s.suppressed", length, item->name));
    }
    (void)table_write(&table, out); /* the output shows a failure */
}

void exit_statistics_write(const struct timeline_counts *counts, FILE *out)
{
    if (counts->count == 0) {
        fputs("exit statistics: not available: the monitor ended without reporting its counts\n",
              out);
        return;
    }
    write_exits(counts, out);
    write_accesses(counts, out);
    write_queues(counts, out);
    fputs(
        "Time of an exit: from KVM_RUN's return until the monitor is ready to call it again. It\n"
        "excludes the processor's way out of the guest and back, and the kernel's part.\n"
        "A kick wakes the I/O loop for a queue. It is a write to QueueNotify, which KVM turns into "
        "an\n"
        "eventfd without an exit to the monitor (several at a time count as one), or comes from\n"
        "the transport after a write to Status. Its time is the device's work on the queue. Used\n"
        "buffer notifications, sent or suppressed as the driver requests, reach the guest by\n"
        "irqfd, without an exit.\n"
        "Not counted: work that the host's side starts (a socket has data), and exits that KVM\n"
        "handles in the host's kernel: halts, faults on guest memory (EPT or NPT violations),\n"
        "timers, interrupt controllers, CPUID, MSRs; `perf kvm stat` counts those.\n",
        out);
}
