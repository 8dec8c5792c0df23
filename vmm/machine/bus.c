/* SPDX-License-Identifier: Apache-2.0 */
/* Address dispatch; see bus.h. */
#include "vmm/machine/bus.h"

#include <errno.h>
#include <string.h>

static bool overlap(const struct bus_range *one, const struct bus_range *other)
{
    if (one->base <= other->base)
        return other->base - one->base < one->size;
    return one->base - other->base < other->size;
}

int bus_add(struct bus *bus, const struct bus_range *range, struct error *err)
{
    unsigned at = 0;

    if (bus->count == BUS_RANGES)
        return error_set(err, ENOSPC, "%s: too many devices", range->name);
    for (unsigned i = 0; i < bus->count; i++) {
        if (overlap(&bus->ranges[i], range))
            return error_set(err, EEXIST, "%s: its registers overlap those of %s", range->name,
                             bus->ranges[i].name);
        if (bus->ranges[i].base < range->base)
            at = i + 1;
    }
    memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->count - at) * sizeof(bus->ranges[0]));
    bus->ranges[at] = *range;
    bus->ranges[at].reads = bus->ranges[at].writes = (struct cost){0};
    bus->count++;
    return 0;
}

/* The range that contains the whole access, or NULL. */
static struct bus_range *find(struct bus *bus, uint64_t address, uint32_t size)
{
    unsigned low = 0;
    unsigned high = bus->count;

    while (low < high) { /* binary search for the last range that starts at or below */
        unsigned middle = (low + high) / 2;

        if (bus->ranges[middle].base <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0) {
        struct bus_range *range = &bus->ranges[low - 1];
        uint64_t offset = address - range->base;

        if (offset < range->size && size <= range->size - offset)
            return range;
    }
    __atomic_fetch_add(&bus->unclaimed, 1, __ATOMIC_RELAXED);
    return NULL;
}

void bus_read(struct bus *bus, uint64_t address, void *data, uint32_t size)
{
    struct bus_range *range = find(bus, address, size);
    uint64_t begun_ns = cost_begin(bus->timed);

    if (!range) {
        memset(data, 0xff, size);
        return;
    }
    cost_count(&range->reads);
    range->read(range->opaque, address - range->base, data, size);
    cost_end(&range->reads, begun_ns);
}

void bus_write(struct bus *bus, uint64_t address, const void *data, uint32_t size)
{
    struct bus_range *range = find(bus, address, size);
    uint64_t begun_ns = cost_begin(bus->timed);

    if (!range)
        return;
    cost_count(&range->writes);
    range->write(range->opaque, address - range->base, data, size);
    cost_end(&range->writes, begun_ns);
}

void bus_visit_counts(const struct bus *bus, const char *unclaimed, count_visitor *visit,
                      void *opaque)
{
    for (unsigned i = 0; i < bus->count; i++) {
        const struct bus_range *range = &bus->ranges[i];

        counts_visit(visit, opaque, count_load(&range->reads.count), "%s.reads", range->name);
        counts_visit(visit, opaque, count_load(&range->writes.count), "%s.writes", range->name);
        if (bus->timed)
            counts_visit(visit, opaque,
                         count_load(&range->reads.ns) + count_load(&range->writes.ns), "%s.ns",
                         range->name);
    }
    visit(opaque, unclaimed, count_load(&bus->unclaimed));
}
