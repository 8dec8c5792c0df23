/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM gets from the code that runs it, and what it reports back. */
#ifndef MICROVM_MACHINE_MACHINE_CALLBACKS_H
#define MICROVM_MACHINE_MACHINE_CALLBACKS_H

#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"
#include "vmm/base/syscall_rule.h"
#include "vmm/machine/machine_events.h"

/* Loads another guest instead of a Linux: for tests, and other kinds of guests. */
struct machine_loader {
    void *opaque;
    int (*place)(void *opaque, const struct guest_memory *memory, struct error *err);
    /* Sets the registers of vCPU `index`; called for each. */
    int (*enter)(void *opaque, int vcpu_fd, unsigned index, struct error *err);
};

enum machine_thread { MACHINE_THREAD_LOOP, MACHINE_THREAD_VCPU, MACHINE_THREADS };

/* What the VM gets from, and reports to, the code that runs it. */
struct machine_callbacks {
    void *opaque;
    /* By the names in spec.h: the VM takes what it uses, some of it while it runs. */
    struct fd_table *descriptors;
    int console_fd;                      /* non-blocking stream of the console; -1 = none */
    const struct machine_loader *loader; /* NULL = Linux, as the spec says */
    /* All optional. */
    /*
     * Each thread calls it, before any guest runs, with the system calls that it will need: the
     * time to drop all others. The I/O loop's thread is the one in machine_start().
     */
    int (*confine)(void *opaque, enum machine_thread thread, const struct syscall_rules *lists,
                   size_t count, struct error *err);
    void (*stage)(void *opaque, enum machine_stage stage);
    void (*mark)(void *opaque, uint32_t mark);                           /* vCPU threads */
    void (*console_output)(void *opaque, const void *data, size_t size); /* I/O loop */
    /* One line about what `who` does, if spec->traced. Any thread, within a device's lock. */
    void (*trace)(void *opaque, const char *who, const char *line);
};

#endif
