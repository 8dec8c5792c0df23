/* SPDX-License-Identifier: Apache-2.0 */
/* The neighbour on the host: what it feels while somebody under an isolation misbehaves. */
#ifndef MICROVM_PROBE_LATENCY_MONITOR_H
#define MICROVM_PROBE_LATENCY_MONITOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"

/* What a stretch of time was like. */
struct latency_monitor_felt {
    unsigned loops; /* each starts a process, waits for it and touches a MiB of memory */
    uint64_t elapsed_ns;
    uint64_t worst_ns;       /* the longest loop */
    long long available_kib; /* least MemAvailable of the host; -1 = not told */
    int processes;           /* most processes on the host; -1 = not told */
};

struct witness {
    pthread_t thread;
    atomic_bool stop;
    struct latency_monitor_felt felt;
};

/* Starts to feel. Errors: of pthread_create(3). */
int latency_monitor_start(struct witness *witness, struct error *err);
/* Stops and returns what was felt. Call once for each start. */
struct latency_monitor_felt latency_monitor_stop(struct witness *witness);

/* As both, for some time. */
int latency_monitor_feel(unsigned milliseconds, struct latency_monitor_felt *felt,
                         struct error *err);

/* Loops a second. */
unsigned latency_monitor_rate(const struct latency_monitor_felt *felt);

/*
 * A watch on the process `run` (0 = not yet known), looking for the monitor among its children and
 * for the state in which its system call filter is (proc(5), /proc/pid/status, Seccomp).
 */
struct monitor_watch {
    pthread_t thread;
    atomic_bool stop;
    atomic_int run;
    int seccomp; /* 2 = filtered; -1 = no monitor was seen */
};

int monitor_watch_start(struct monitor_watch *watch, struct error *err);
/* Ends it; returns `seccomp`. */
int monitor_watch_stop(struct monitor_watch *watch);

#endif
