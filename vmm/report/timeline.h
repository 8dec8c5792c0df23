/* SPDX-License-Identifier: Apache-2.0 */
/* When each step of a run was reached, from the typed command to the exit. */
#ifndef MICROVM_REPORT_TIMELINE_H
#define MICROVM_REPORT_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/monitor/control_protocol.h"

/* In the order in which a run reaches them. A step's time is the moment at which it ended. */
enum timeline_step {
    TIMELINE_COMMAND,    /* the process was started: time 0 */
    TIMELINE_IMAGE,      /* image resolved, configuration read */
    TIMELINE_ROOT,       /* root file system and bundle ready */
    TIMELINE_MONITOR,    /* monitor process runs */
    TIMELINE_KVM,        /* VM and interrupt controller made */
    TIMELINE_LOADED,     /* kernel, tree, devices in place: first KVM_RUN */
    TIMELINE_KERNEL,     /* first instructions of init */
    TIMELINE_INIT,       /* init has handed over to the container runtime */
    TIMELINE_RUNTIME,    /* the runtime has started the container's process */
    TIMELINE_FIRST_BYTE, /* first byte of output arrived here */
    TIMELINE_EXIT,       /* the container's first process ended */
    TIMELINE_END,        /* everything of the instance is removed */
    TIMELINE_STEPS
};

/* What the VM had done at one moment: names and numbers of a counts event. */
struct timeline_counts {
    unsigned count;
    struct control_count items[CONTROL_COUNTS_MAX];
};

struct timeline {
    uint64_t at_ns[TIMELINE_STEPS];   /* CLOCK_MONOTONIC; 0 = not reached */
    struct timeline_counts counts[2]; /* by enum control_counts_at; empty = not received */
};

/* Notes the time of `step`, once: later calls for the same step change nothing. */
void timeline_note(struct timeline *timeline, enum timeline_step step, uint64_t at_ns);

/* Notes an event of the monitor: a stage, the first KVM_RUN, a boot mark, counts. */
void timeline_note_event(struct timeline *timeline, const struct control_event *event);

/*
 * Writes a bar chart, one line for each step that was reached, in order of time; `unicode` draws
 * with block elements, else with '#'. Writes nothing when no step was reached.
 */
void timeline_write_chart(const struct timeline *timeline, bool unicode, FILE *out);

/*
 * Writes one line of JSON:
 *   {"start_ns":N,"steps":[{"step":"image","at_ns":N,"took_ns":N},...],"total_ns":N,
 *    "counts":{"init":{"exits":N,...},"end":{...}}}
 * start_ns is TIMELINE_COMMAND on CLOCK_MONOTONIC, to compare it with times of other sources;
 * at_ns counts from TIMELINE_COMMAND, took_ns from the step before, in order of time. Errors: of
 * json_write().
 */
int timeline_write_json(const struct timeline *timeline, FILE *out, struct error *err);

#endif
