/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device, as its transport sees it: a constant class with the operations, and a running
 * instance. Every device has the same five: create, handle queue, read/write config, save, load.
 *
 * Threads: all operations except configuration access run on the I/O loop; the transport forwards a
 * driver's reset and activation there, which arrive on a vCPU thread. The transport holds its lock
 * during every call into the device, and a device takes that lock (virtio_device_lock) in its fd
 * handlers, so a device never runs in two threads at once.
 *
 * A device holds no descriptor chain between two calls: it puts back what it cannot serve now
 * (virtqueue_undo_pop), with the number of processed bytes. So at a reset it has no reference to
 * guest memory.
 */
#ifndef MICROVM_DEVICES_VIRTIO_DEVICE_H
#define MICROVM_DEVICES_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/device_callbacks.h"
#include "devices/guest_memory.h"
#include "devices/virtio/queue.h"
#include "vmm/base/syscall_rule.h"

#define VIRTIO_DEVICE_QUEUES 4 /* the most queues that one of our devices has */

struct virtio_device;

struct virtio_device_class {
    const char *name;     /* "console", for messages */
    uint32_t device_id;   /* virtio 1.2, 5 */
    uint64_t features;    /* device-specific bits; the transport adds the common ones */
    unsigned queue_count; /* <= VIRTIO_DEVICE_QUEUES */
    const char *queue_names[VIRTIO_DEVICE_QUEUES]; /* named as in virtio 1.2: "receiveq" */
    uint16_t queue_size_max;                       /* power of two, <= VIRTQUEUE_SIZE_MAX */
    bool delegates_queues; /* other processes may serve its queues (vhost, vhost-user) */
    size_t state_size;     /* bytes of the plain, pointer-free state of save and load */

    /* System calls of its functions on the I/O loop; and of those that run on a vCPU's thread at a
     * register access (reset, activate, configuration). */
    struct syscall_rules calls;
    struct syscall_rules register_calls;

    /* The driver notified queue `index`. */
    void (*handle_queue)(struct virtio_device *device, unsigned index);
    /* Device-specific configuration space; the callee returns zeroes outside of its fields. */
    void (*read_config)(struct virtio_device *device, uint32_t offset, void *data, uint32_t size);
    void (*write_config)(struct virtio_device *device, uint32_t offset, const void *data,
                         uint32_t size);
    /* The driver set DRIVER_OK: queues are live. Runs before any handle_queue. Optional. */
    void (*activate)(struct virtio_device *device);
    /* Forgets everything that the driver has set up. The transport resets the queues. Optional. */
    void (*reset)(struct virtio_device *device);
    /* `state` has state_size bytes; load validates, and returns 0 or -EINVAL. Optional with 0. */
    void (*save)(const struct virtio_device *device, void *state);
    int (*load)(struct virtio_device *device, const void *state);
    void (*destroy)(struct virtio_device *device);
};

/*
 * One turn of a device: from a notification, or an event of one of its descriptors, until it
 * returns to the I/O loop. The work of a turn is bounded, whatever the guest requests.
 */
struct virtio_turn {
    uint64_t spent;  /* bytes */
    uint64_t end_ns; /* of CLOCK_MONOTONIC_COARSE */
};

#define VIRTIO_TURN_BYTES (4U << 20)
#define VIRTIO_TURN_NS    UINT64_C(10000000)
#define VIRTIO_SLICE_MAX  (256U << 10) /* bytes that one system call of a device may move */
#define VIRTIO_STEP_COST  (32U << 10)  /* the minimum cost of a step, in bytes of a turn */

/* The first member of every device's struct. */
struct virtio_device {
    const struct virtio_device_class *class;
    uint64_t features; /* offered: class->features minus what this instance lacks */
    /* Set by the transport when it takes ownership of the device. */
    const struct guest_memory *memory;
    struct device_host host;
    uint64_t negotiated; /* features accepted by the driver, 0 until FEATURES_OK */
    struct virtqueue queues[VIRTIO_DEVICE_QUEUES];
    struct virtio_mmio *transport;
    struct virtio_turn turn; /* begun by the transport */
};

/* ---- turns (turn.c) ---- */

void virtio_device_begin_turn(struct virtio_device *device);

/*
 * Whether this turn has room for one more step: a chain, or a slice of at most VIRTIO_SLICE_MAX
 * bytes of one. There is always room for the first step.
 */
bool virtio_device_may_go_on(const struct virtio_device *device);

/* Counts a step that has moved `bytes`. Each popped chain is at least one step. */
void virtio_device_spend(struct virtio_device *device, uint64_t bytes);

/*
 * virtqueue_pop() of queue `index` while the turn has room for a step. Returns 1, 0 (no chain),
 * -EINVAL (the guest violated the specification) or -EAGAIN (the turn is over).
 */
int virtio_device_pop(struct virtio_device *device, unsigned index, struct virtqueue_chain *chain);

/*
 * Ends the work on queue `index` in this turn, with the result of the last virtio_device_pop() or
 * of the device itself: -EINVAL fails the device because of `what`; otherwise the driver is
 * notified of used buffers, and with -EAGAIN the work continues in another turn.
 */
void virtio_device_end_turn(struct virtio_device *device, unsigned index, int rc, const char *what);

/* Schedules another turn, handle_queue(index), after other work of the I/O loop. */
void virtio_device_reschedule(struct virtio_device *device, unsigned index);

/* For read_config: copies bytes of a configuration structure, zeroes outside of it. */
void virtio_device_copy_config(const void *config, size_t config_size, uint32_t offset, void *data,
                               uint32_t size);

/* ---- queues that another process serves (vhost, vhost-user) ----
 *
 * What such a process needs to know:
 *   - the kick and the call eventfd of the queue: below;
 *   - where the queue is: device->queues[index], addresses of the guest and, in `areas`, of this
 *     process; its size; next_available, at which it starts;
 *   - guest memory: device->memory, which it can map if that is `shared`.
 */

/*
 * From now on, and until the driver's reset, the device is not called for queue `index`, which must
 * be ready: the driver's notifications arrive at fds->kick_fd, and a write to fds->call_fd
 * interrupts the driver. Both belong to the VM and live as long as the device. When the class's
 * reset() returns, the other process must have stopped; only then does the driver see the end of
 * the reset. No struct virtqueue knows what the process has consumed: before a save the device
 * queries it, and sets next_available and next_used. Called by activate(). Errors: EINVAL (the
 * queue is not ready), ENOTSUP (the VM cannot delegate queues, or the class does not set
 * delegates_queues).
 */
int virtio_device_delegate_queue(struct virtio_device *device, unsigned index,
                                 struct device_queue_fds *fds);

/* Notifies the driver of used buffers of queue `index`, unless it has disabled that. */
void virtio_device_notify(struct virtio_device *device, unsigned index);

/* Notifies the driver of a change of configuration space (virtio 1.2, 2.5). */
void virtio_device_config_changed(struct virtio_device *device);

/*
 * For a violation of the specification by the guest: sets DEVICE_NEEDS_RESET (virtio 1.2, 2.1.2),
 * logs `why` (limited), and stops the queues until the driver resets the device.
 */
void virtio_device_fail(struct virtio_device *device, const char *why);

/*
 * The transport's lock, for fd handlers and public functions of the device, on the I/O loop; not
 * recursive. A pending reset is handled before it returns.
 */
void virtio_device_lock(struct virtio_device *device);
void virtio_device_unlock(struct virtio_device *device);

#endif
