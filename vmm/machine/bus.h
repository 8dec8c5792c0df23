/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device handles which addresses, for the two buses (ports, memory-mapped registers). Filled
 * before the vCPUs run and only read from then on, so any thread may dispatch.
 */
#ifndef MICROVM_MACHINE_BUS_H
#define MICROVM_MACHINE_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/machine/counts.h"

#define BUS_RANGES 24

/* `offset` from the start of the range; `size` of the guest's access: 1, 2, 4 or 8. vCPU
 * threads. */
typedef void bus_read_handler(void *opaque, uint64_t offset, void *data, uint32_t size);
typedef void bus_write_handler(void *opaque, uint64_t offset, const void *data, uint32_t size);

struct bus_range {
    const char *name;
    uint64_t base, size;
    bus_read_handler *read;
    bus_write_handler *write;
    void *opaque;
    struct cost reads, writes;
};

struct bus {
    struct bus_range ranges[BUS_RANGES]; /* sorted by base */
    unsigned count;
    bool timed;
    uint64_t unclaimed; /* accesses to no range */
};

/* Adds a range (counts in it start at 0). Errors: ENOSPC (full), EEXIST (overlaps another). */
int bus_add(struct bus *bus, const struct bus_range *range, struct error *err);

/*
 * Performs a guest's access. Outside of a range, or only partly inside, a read returns all ones and
 * a write is ignored, as on hardware.
 */
void bus_read(struct bus *bus, uint64_t address, void *data, uint32_t size);
void bus_write(struct bus *bus, uint64_t address, const void *data, uint32_t size);

/* "RANGE.reads" and "RANGE.writes" of each range, on a timed bus "RANGE.ns" for both together; the
 * accesses to no range under the name `unclaimed`. */
void bus_visit_counts(const struct bus *bus, const char *unclaimed, count_visitor *visit,
                      void *opaque);

#endif
