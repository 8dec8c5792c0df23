/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices of a VM, and how they are attached: registers on the bus, one ioeventfd a queue, one
 * irqfd a device. A new kind of device is one folder in devices/ and one row in devices.c.
 */
#ifndef MICROVM_MACHINE_DEVICES_H
#define MICROVM_MACHINE_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "devices/virtio/mmio.h"
#include "vmm/arch/arch.h"
#include "vmm/base/error.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/counts.h"
#include "vmm/machine/event_loop.h"
#include "vmm/machine/machine_callbacks.h"
#include "vmm/machine/spec.h"
#include "vmm/machine/thread_calls.h"

struct device;

/* One queue's doorbell: an eventfd that KVM signals on a write to QueueNotify. */
struct device_queue {
    struct device *device;
    unsigned index;
    int event_fd;
    struct cost kicks; /* and the I/O loop's time in handling them */
};

struct device {
    char name[16]; /* "console", "block0" */
    struct arch_device_slot slot;
    struct virtio_mmio *mmio;
    struct virtio_device *virtio; /* owned by mmio */
    struct event_loop *loop;
    const struct machine_callbacks *host;
    int interrupt_fd;
    int status_fd; /* of a device that delegates queues: kicks of its status; else -1 */
    bool timed;
    struct device_queue queues[VIRTIO_DEVICE_QUEUES];
    /* Accesses by register group, if timed. */
    struct cost reads[VIRTIO_MMIO_GROUPS], writes[VIRTIO_MMIO_GROUPS];
};

struct devices {
    struct device list[ARCH_DEVICE_SLOTS];
    unsigned count;
};

/* What devices are created from and attached to; all of it outlives them. */
struct devices_setup {
    const struct machine_spec *spec;
    const struct machine_callbacks *host;
    const struct guest_memory *memory;
    struct event_loop *loop;
    struct bus *bus;
    int vm_fd;
};

/* Creates the devices of the spec. After a failure devices_destroy() releases those that exist. */
int devices_create(const struct devices_setup *setup, struct devices *devices, struct error *err);
/*
 * Attaches one more device under a name of at most 15 bytes: registers, interrupt, kicks. Takes
 * ownership of it; needs a free slot. After a failure, same as above.
 */
int devices_attach(const struct devices_setup *setup, const char *name,
                   struct virtio_device *virtio, struct devices *devices, struct error *err);
void devices_destroy(struct devices *devices);

/* Adds the system calls that the VM's devices, or all kinds of devices, need in such a thread. */
void devices_add_calls(const struct devices *devices, enum machine_thread thread,
                       struct thread_calls *calls);
void devices_add_all_calls(enum machine_thread thread, struct thread_calls *calls);

/* The first device of a kind (its class name), or NULL. */
struct device *devices_find(struct devices *devices, const char *kind);

/*
 * "NAME.kicks" and "NAME.interrupts" of each; the bus counts accesses. If timed, also "NAME.bytes"
 * moved, "NAME.yields" (turns that ended before the work did) and, of those that are not 0,
 * "NAME.GROUP.reads", "NAME.GROUP.writes", "NAME.GROUP.ns" of registers, and "NAME.QUEUE.kicks",
 * "NAME.QUEUE.ns", "NAME.QUEUE.notified", "NAME.QUEUE.suppressed". Any thread.
 */
void devices_visit_counts(const struct devices *devices, count_visitor *visit, void *opaque);

#endif
