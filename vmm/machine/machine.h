/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM: built from its spec in a fixed order, run, ended, released.
 *
 * Threads: the caller's thread runs the I/O loop, and calls every function here; each vCPU has one.
 * The order of an end: a vCPU or machine_stop() records the reason; only the first one counts. The
 * loop is woken and stops. machine_finish() then stops the vCPUs, lets devices finish pending
 * requests for at most a second, and returns the reason. After machine_stop() no request is
 * finished, not even one in progress.
 */
#ifndef MICROVM_MACHINE_MACHINE_H
#define MICROVM_MACHINE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/machine/counts.h"
#include "vmm/machine/event_loop.h"
#include "vmm/machine/machine_callbacks.h"
#include "vmm/machine/spec.h"

struct machine;

struct machine_end {
    enum machine_reason reason;
    uint8_t status;
    char text[ERROR_TEXT_SIZE];
};

/*
 * Builds everything up to the first KVM_RUN. `spec`, `host` and `loop` must outlive the machine.
 * Errors name the cause and how to fix it.
 */
int machine_create(const struct machine_spec *spec, const struct machine_callbacks *host,
                   struct event_loop *loop, struct machine **machine, struct error *err);

/* Lets the vCPUs run. The caller then runs the loop, which stops when the VM has ended. */
int machine_start(struct machine *machine, struct error *err);

/* Ends the VM at once, without finishing requests. I/O loop, or before it runs. */
void machine_stop(struct machine *machine);

/* After the loop: waits for the vCPUs, finishes output. Returns why the VM ended, owned by it. */
const struct machine_end *machine_finish(struct machine *machine);

void machine_destroy(struct machine *machine); /* NULL is fine */

/* The console's window size in characters. */
void machine_set_window(struct machine *machine, uint16_t rows, uint16_t columns);

/*
 * Calls `visit` with each count of the VM: "exits" and "exits.KIND" to user space, "NAME.reads",
 * "NAME.writes" of registers, "NAME.kicks", "NAME.interrupts" of a device, "bytes.copied" into
 * guest memory. With a timed spec "exits.KIND.ns", "NAME.ns", and more of each device (devices.h).
 * Any thread.
 */
void machine_visit_counts(const struct machine *machine, count_visitor *visit, void *opaque);

#endif
