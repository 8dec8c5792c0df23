/* SPDX-License-Identifier: Apache-2.0 */
/* Throughput and latency of a process on the host while a sandbox misbehaves (noisy neighbour). */
#ifndef MICROVM_PROBE_LATENCY_MONITOR_H
#define MICROVM_PROBE_LATENCY_MONITOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"

/* What was measured in some time. */
struct latency_sample {
    unsigned loops; /* each starts a process, waits for it and touches a MiB of memory */
    uint64_t elapsed_ns;
    uint64_t worst_ns;       /* the longest loop */
    long long available_kib; /* least MemAvailable of the host; -1 = not known */
    int processes;           /* most processes on the host; -1 = not known */
};

struct latency_monitor {
    pthread_t thread;
    atomic_bool stop;
    struct latency_sample sample;
};

/* Starts a thread that measures. Errors: of pthread_create(3). */
int latency_monitor_start(struct latency_monitor *monitor, struct error *err);
/* Stops it and returns what it measured. Call once for each start. */
struct latency_sample latency_monitor_stop(struct latency_monitor *monitor);

/* Measures for so long. */
int latency_monitor_run(unsigned milliseconds, struct latency_sample *sample, struct error *err);

/* Loops a second. */
unsigned latency_monitor_rate(const struct latency_sample *sample);

/*
 * A thread that looks for the monitor among the children of the process `run` (0 = not yet known),
 * and for its Seccomp state (proc(5), /proc/pid/status).
 */
struct monitor_watch {
    pthread_t thread;
    atomic_bool stop;
    atomic_int run;
    int seccomp; /* 2 = filtered; -1 = no monitor was found */
};

int monitor_watch_start(struct monitor_watch *watch, struct error *err);
/* Stops it; returns `seccomp`. */
int monitor_watch_stop(struct monitor_watch *watch);

#endif
