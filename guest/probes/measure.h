/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the measures of `microvm compare` share: samples of repeated operations, written as JSON
 * lines.
 *
 *   {"measure":NAME,"ps":N}                 one sample: picoseconds an operation
 *   {"measure":NAME,"bytes_per_second":N}   one sample: throughput
 *   {"measure":NAME,"remark":TEXT}          how it was measured
 *   {"measure":NAME,"error":TEXT}           why it was not measured
 */
#ifndef MICROVM_GUEST_PROBES_MEASURE_H
#define MICROVM_GUEST_PROBES_MEASURE_H

#include <stdint.h>

#define MEASURE_SAMPLES 7

/* Does the operation `count` times; returns 0 or -1 with errno. */
typedef int measure_operation(void *opaque, uint64_t count);

/* CLOCK_MONOTONIC. */
uint64_t measure_now_ns(void);

/* Finds the number of operations that takes some milliseconds, then takes MEASURE_SAMPLES samples
 * and writes them, or the error. */
void measure_repeatedly(const char *name, measure_operation *operation, void *opaque);

/* Writes one sample: `count` operations, or `bytes` moved, in that time. */
void measure_write_times(const char *name, uint64_t count, uint64_t took_ns);
void measure_write_rate(const char *name, uint64_t bytes, uint64_t took_ns);
void measure_write_text(const char *name, const char *kind, const char *text);
void measure_write_errno(const char *name, const char *what);

/* Groups of measures; each writes its own lines. */
void measure_calls(void);
void measure_root(void);
void measure_layer(void);

#endif
