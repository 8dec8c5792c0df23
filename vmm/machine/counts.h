/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the parts of a VM count events and report the counts; the names are in machine.h. Times are
 * only measured if the VM's spec says so: a plain run pays nothing.
 */
#ifndef MICROVM_MACHINE_COUNTS_H
#define MICROVM_MACHINE_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/io.h"

typedef void count_visitor(void *opaque, const char *name, uint64_t value);

/* An event that repeats. Any thread: both members are atomic. */
struct cost {
    uint64_t count;
    uint64_t ns; /* 0 unless times are measured */
};

static inline void cost_count(struct cost *cost)
{
    __atomic_fetch_add(&cost->count, 1, __ATOMIC_RELAXED);
}

/* The time at which something begins, or 0 when times are not measured. */
static inline uint64_t cost_begin(bool timed)
{
    return timed ? io_now_ns() : 0;
}

static inline void cost_end(struct cost *cost, uint64_t begun_ns)
{
    if (begun_ns > 0)
        __atomic_fetch_add(&cost->ns, io_now_ns() - begun_ns, __ATOMIC_RELAXED);
}

static inline uint64_t count_load(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Visits with a name formatted by `format`. */
void counts_visit(count_visitor *visit, void *opaque, uint64_t value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
