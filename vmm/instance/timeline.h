/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: when each step of a run was reached, from the typed command to the exit. */
#ifndef MICROVM_INSTANCE_TIMELINE_H
#define MICROVM_INSTANCE_TIMELINE_H

#include <stdint.h>

/* In the order in which a run reaches them. A step's time is the moment at which it ended. */
enum timeline_step {
    TIMELINE_COMMAND,    /* the process was started: time 0 */
    TIMELINE_IMAGE,      /* image resolved, configuration read */
    TIMELINE_ROOT,       /* root file system and bundle ready */
    TIMELINE_MONITOR,    /* monitor process runs */
    TIMELINE_KVM,        /* VM, vCPUs, memory */
    TIMELINE_LOADED,     /* kernel, tree, devices in place: first KVM_RUN */
    TIMELINE_KERNEL,     /* first instructions of init */
    TIMELINE_INIT,       /* init has handed over to the container runtime */
    TIMELINE_RUNTIME,    /* the runtime has started the container's process */
    TIMELINE_FIRST_BYTE, /* first byte of output arrived here */
    TIMELINE_EXIT,       /* the container's first process ended */
    TIMELINE_END,        /* everything of the instance is gone */
    TIMELINE_STEPS
};

struct timeline {
    uint64_t at_ns[TIMELINE_STEPS]; /* CLOCK_MONOTONIC; 0 = not reached */
};

/* Notes the time of `step`, once: later calls for the same step change nothing. */
void timeline_note(struct timeline *timeline, enum timeline_step step, uint64_t at_ns);

#endif
