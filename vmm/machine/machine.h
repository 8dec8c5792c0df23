/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: one virtual machine: built from its spec in a fixed order, run, ended, released.
 *
 * Threads: the caller's thread runs the I/O loop, and calls every function here; each vCPU has one.
 * The order of an end: somebody (a vCPU, machine_stop()) records why; only the first reason counts.
 * The loop is woken and stops. machine_finish() then stops the vCPUs, lets devices work off what
 * the guest had given them, for a second at most, and hands the reason over. After machine_stop()
 * nothing is worked off any more, not even what was begun.
 */
#ifndef MICROVM_MACHINE_MACHINE_H
#define MICROVM_MACHINE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/base/error.h"
#include "vmm/machine/counts.h"
#include "vmm/machine/event_loop.h"
#include "vmm/machine/spec.h"

struct machine;

/* Steps of building, in order; reported when done. */
enum machine_stage {
    MACHINE_STAGE_MEMORY,
    MACHINE_STAGE_KVM,
    MACHINE_STAGE_KERNEL, /* placed while KVM made the VM */
    MACHINE_STAGE_DEVICES,
    MACHINE_STAGE_TREE,
};

enum machine_reason {
    MACHINE_EXIT,      /* the doorbell, with a status */
    MACHINE_POWER_OFF, /* the guest switched itself off */
    MACHINE_RESET,     /* the guest reset itself: a reboot, or the end of a panic */
    MACHINE_PANIC,     /* the guest said so by the doorbell */
    MACHINE_STOPPED,   /* machine_stop() */
    MACHINE_ERROR,     /* KVM or the monitor failed: text says why */
};

struct machine_end {
    enum machine_reason reason;
    uint8_t status;
    char text[ERROR_TEXT_SIZE];
};

/* Places a guest of its own instead of a Linux: for tests, and other kinds of guest. */
struct machine_loader {
    void *opaque;
    int (*place)(void *opaque, const struct guest_memory *memory, struct error *err);
    /* Registers of vCPU `index` at its start; called for each. */
    int (*enter)(void *opaque, int vcpu_fd, unsigned index, struct error *err);
};

/* What the machine is given by, and tells, whoever runs it. */
struct machine_host {
    void *opaque;
    int directory_fd;                    /* for sockets of devices; -1 = none */
    int console_fd;                      /* non-blocking stream of the console; -1 = none */
    const struct machine_loader *loader; /* NULL = Linux, as the spec says */
    /* All optional. */
    /* All files are open and there is no other thread yet: the moment to drop privileges, which
     * every thread then lacks. machine_create(). */
    int (*drop)(void *opaque, struct error *err);
    /* All threads exist and no guest has run: the moment to give system calls up. machine_start().
     */
    int (*confine)(void *opaque, struct error *err);
    void (*stage)(void *opaque, enum machine_stage stage);
    void (*mark)(void *opaque, uint32_t mark);                           /* vCPU threads */
    void (*console_output)(void *opaque, const void *data, size_t size); /* I/O loop */
    /* One line about what `who` does, if spec->narrated. Any thread, within a device's lock. */
    void (*narrate)(void *opaque, const char *who, const char *line);
};

/*
 * Builds everything up to the first KVM_RUN. `spec`, `host` and `loop` must outlive the machine.
 * Errors name what is at fault and the way out.
 */
int machine_create(const struct machine_spec *spec, const struct machine_host *host,
                   struct event_loop *loop, struct machine **machine, struct error *err);

/* Lets the vCPUs run. The caller then runs the loop, which stops when the machine has ended. */
int machine_start(struct machine *machine, struct error *err);

/* Ends the machine at once, and the work after its end as well. I/O loop, or before it runs. */
void machine_stop(struct machine *machine);

/* After the loop: waits for the vCPUs, finishes output; why it ended, owned by the machine. */
const struct machine_end *machine_finish(struct machine *machine);

void machine_destroy(struct machine *machine); /* NULL is fine */

/* Characters of the console's window. */
void machine_set_window(struct machine *machine, uint16_t rows, uint16_t columns);

/*
 * Calls `visit` with each count of what the machine has done: "exits" and "exits.KIND" to user
 * space, "NAME.reads", "NAME.writes" of registers, "NAME.kicks", "NAME.interrupts" of a device,
 * "bytes.copied" into guest memory. With a timed spec "exits.KIND.ns", "NAME.ns", and more of each
 * device (devices.h). Any thread.
 */
void machine_visit_counts(const struct machine *machine, count_visitor *visit, void *opaque);

#endif
