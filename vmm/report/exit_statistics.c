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

#define LABEL_WIDTH 40

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

/* The value of the count with that name, 0 when it was not told. */
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

static void write_time(uint64_t count, uint64_t ns, FILE *out)
{
    fprintf(out, " %9.3f ms", (double)ns / 1e6);
    if (count > 0)
        fprintf(out, " %8.2f us", (double)ns / 1e3 / (double)count);
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
    uint64_t all_ns = 0;

    fprintf(out, "%-*s %9s %12s %11s\n", LABEL_WIDTH, "exits to the monitor, by cause", "count",
            "time", "each");
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        uint64_t count = find(counts, "%s", kinds[i].name);
        uint64_t ns = find(counts, "%s.ns", kinds[i].name);

        all_ns += ns;
        if (count == 0)
            continue;
        fprintf(out, "  %-*s %9" PRIu64, LABEL_WIDTH - 2, kinds[i].label, count);
        write_time(count, ns, out);
        fputc('\n', out);
    }
    fprintf(out, "  %-*s %9" PRIu64, LABEL_WIDTH - 2, "all", find(counts, "exits"));
    write_time(find(counts, "exits"), all_ns, out);
    fputc('\n', out);
}

static void write_access(const char *label, uint64_t reads, uint64_t writes, uint64_t ns, FILE *out)
{
    fprintf(out, "  %-*s %9" PRIu64 " %9" PRIu64, LABEL_WIDTH - 2, label, reads, writes);
    write_time(reads + writes, ns, out);
    fputc('\n', out);
}

/* One row a group of a virtio device's registers; one for all where there are no groups. */
static void write_answerer(const struct timeline_counts *counts, const char *name, int length,
                           FILE *out)
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
        write_access(label, some_reads, some_writes,
                     find(counts, "%.*s.%s.ns", length, name, group), out);
    }
    snprintf(label, sizeof(label), "%.*s", length, name);
    if (!split && reads + writes > 0)
        write_access(label, reads, writes, find(counts, "%.*s.ns", length, name), out);
}

static void write_accesses(const struct timeline_counts *counts, FILE *out)
{
    fprintf(out, "%-*s %9s %9s %12s %11s\n", LABEL_WIDTH, "accesses that the monitor answered",
            "reads", "writes", "time", "each");
    for (unsigned i = 0; i < counts->count; i++) {
        int length;

        if (has_suffix(counts->items[i].name, ".reads", 1, &length))
            write_answerer(counts, counts->items[i].name, length, out);
    }
    fprintf(out, "  %-*s %9" PRIu64 "\n", LABEL_WIDTH - 2, "ports where nothing is",
            find(counts, "unclaimed.port"));
    fprintf(out, "  %-*s %9" PRIu64 "\n", LABEL_WIDTH - 2, "addresses where nothing is",
            find(counts, "unclaimed.mmio"));
}

static void write_queues(const struct timeline_counts *counts, FILE *out)
{
    fprintf(out, "%-*s %9s %12s %11s %9s %10s\n", LABEL_WIDTH,
            "queues: available buffer notifications", "kicks", "time", "each", "used sent",
            "suppressed");
    for (unsigned i = 0; i < counts->count; i++) {
        const struct control_count *item = &counts->items[i];
        char label[64];
        int length;

        if (!has_suffix(item->name, ".kicks", 2, &length))
            continue;
        snprintf(label, sizeof(label), "%.*s", length, item->name);
        for (char *at = label; *at; at++)
            *at = *at == '.' ? ' ' : *at;
        fprintf(out, "  %-*s %9" PRIu64, LABEL_WIDTH - 2, label, item->value);
        write_time(item->value, find(counts, "%.*s.ns", length, item->name), out);
        fprintf(out, "%*s %9" PRIu64 " %10" PRIu64 "\n", item->value > 0 ? 0 : 12, "",
                find(counts, "%.*s.notified", length, item->name),
                find(counts, "%.*s.suppressed", length, item->name));
    }
}

void exit_statistics_write(const struct timeline_counts *counts, FILE *out)
{
    if (counts->count == 0) {
        fputs("ledger: not known, the monitor has ended without telling its counts\n", out);
        return;
    }
    write_exits(counts, out);
    write_accesses(counts, out);
    write_queues(counts, out);
    fputs(
        "Time of an exit: from KVM_RUN's return until the monitor is ready to call it again. The\n"
        "processor's own way out of the guest and back is not in it, nor is the kernel's.\n"
        "A kick: the I/O loop woken for a queue, by a write to QueueNotify, which KVM turns into "
        "an\n"
        "eventfd without an exit to the monitor (several that come together count as one), or by\n"
        "the transport after a write to Status. Its time: the device's work on the queue. Used\n"
        "buffer notifications, sent or suppressed as the driver asks, reach the guest by irqfd,\n"
        "without an exit.\n"
        "Not in this ledger: work that the host's side began (a socket has data), and exits that\n"
        "KVM handles in the host's kernel: halts, faults on guest memory (EPT or NPT violations),\n"
        "timers, interrupt controllers, CPUID, MSRs; `perf kvm stat` counts those.\n",
        out);
}
