/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a virtio device is to its transport: a constant class with the verbs, and a
 * running instance. The same five verbs everywhere: create, handle queue, read/write config,
 * save, load.
 *
 * Threads: all verbs but configuration access run on the I/O loop; a driver's reset and activation,
 * which arrive on a vCPU thread, are carried over to it by the transport. The transport holds its
 * lock around every call into the device, and a device takes that lock (virtio_device_lock) in its
 * fd handlers, so a device itself never sees two threads at once.
 *
 * A device holds no descriptor chain from one call to the next: what it cannot serve now it puts
 * back (virtqueue_undo_pop), with the number of bytes that are done. So a reset has nothing of the
 * guest's memory to take away from it.
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

#define VIRTIO_DEVICE_QUEUES 4 /* most queues a device of ours has */

struct virtio_device;

struct virtio_device_class {
    const char *name;     /* "console", as shown to people */
    uint32_t device_id;   /* virtio 1.2, 5 */
    uint64_t features;    /* device-specific bits; the transport adds the common ones */
    unsigned queue_count; /* <= VIRTIO_DEVICE_QUEUES */
    const char *queue_names[VIRTIO_DEVICE_QUEUES]; /* as virtio 1.2 calls them: "receiveq" */
    uint16_t queue_size_max;                       /* power of two, <= VIRTQUEUE_SIZE_MAX */
    bool delegates_queues; /* other processes may serve queues of it (vhost, vhost-user) */
    size_t state_size;     /* bytes of the plain, pointer-free state that save and load carry */

    /* System calls of its functions: on the I/O loop; and of those that an access to a register
     * calls (reset, activate, configuration), on a vCPU's thread. */
    struct syscall_rules calls;
    struct syscall_rules register_calls;

    /* The driver notified queue `index`. */
    void (*handle_queue)(struct virtio_device *device, unsigned index);
    /* Device-specific configuration space; the callee answers zeroes outside of its fields. */
    void (*read_config)(struct virtio_device *device, uint32_t offset, void *data, uint32_t size);
    void (*write_config)(struct virtio_device *device, uint32_t offset, const void *data,
                         uint32_t size);
    /* The driver set DRIVER_OK: queues are live. Runs before any handle_queue. Optional. */
    void (*activate)(struct virtio_device *device);
    /* Forget everything the driver has set up. Queues are reset by the transport. Optional. */
    void (*reset)(struct virtio_device *device);
    /* `state` has state_size bytes; load validates, and returns 0 or -EINVAL. Optional with 0. */
    void (*save)(const struct virtio_device *device, void *state);
    int (*load)(struct virtio_device *device, const void *state);
    void (*destroy)(struct virtio_device *device);
};

/*
 * One turn of a device: from a notification, or an event of a descriptor of its own, until it
 * returns to the I/O loop. What it does in one is bounded, whatever the guest has asked for.
 */
struct virtio_turn {
    uint64_t spent;  /* bytes */
    uint64_t end_ns; /* of CLOCK_MONOTONIC_COARSE */
};

#define VIRTIO_TURN_BYTES (4U << 20)
#define VIRTIO_TURN_NS    UINT64_C(10000000)
#define VIRTIO_SLICE_MAX  (256U << 10) /* bytes that one system call of a device may move */
#define VIRTIO_STEP_COST  (32U << 10)  /* the least that a step costs, in bytes of a turn */

/* First member of every device's own struct. */
struct virtio_device {
    const struct virtio_device_class *class;
    uint64_t features; /* offered: class->features less what this instance lacks */
    /* Set by the transport when it takes the device over. */
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
 * bytes of one. The first step of a turn always has.
 */
bool virtio_device_may_go_on(const struct virtio_device *device);

/* A step is done, and has moved `bytes`. Each chain that is popped is at least one step. */
void virtio_device_spend(struct virtio_device *device, uint64_t bytes);

/*
 * virtqueue_pop() of queue `index` while the turn has room for a step. Returns 1, 0 (no chain),
 * -EINVAL (the guest broke the rules) or -EAGAIN (the turn is over).
 */
int virtio_device_pop(struct virtio_device *device, unsigned index, struct virtqueue_chain *chain);

/*
 * Ends the work on queue `index` in this turn, by what the last virtio_device_pop() or the device
 * itself made of it: -EINVAL fails the device because of `what`; else what was completed is given
 * to the driver, and with -EAGAIN the work goes on in another turn.
 */
void virtio_device_end_turn(struct virtio_device *device, unsigned index, int rc, const char *what);

/* Asks for another turn, handle_queue(index), after other work of the I/O loop. */
void virtio_device_reschedule(struct virtio_device *device, unsigned index);

/* For read_config: bytes of a configuration structure, zeroes outside of it. */
void virtio_device_copy_config(const void *config, size_t config_size, uint32_t offset, void *data,
                               uint32_t size);

/* ---- queues that another process serves (vhost, vhost-user) ----
 *
 * What such a process is told:
 *   - the kick and the call eventfd of the queue: below;
 *   - where the queue is: device->queues[index], addresses of the guest and, in `areas`, of this
 *     process; its size; next_available, with which it begins;
 *   - guest memory: device->memory, which it can map if that is `shared`.
 */

/*
 * From now on, and until the driver's reset, the device does not hear of queue `index`, which is
 * ready, any more: the driver's notifications arrive at fds->kick_fd, and whoever writes to
 * fds->call_fd interrupts the driver. Both belong to the machine and live as long as the device.
 * When the class's reset() returns, the other process must have stopped; the driver sees its reset
 * done only after that. What the process has consumed is in nobody's struct virtqueue: before a
 * save the device asks it, and sets next_available and next_used.
 * Called by activate(). Errors: EINVAL (the queue is not ready), ENOTSUP (there is nobody who could
 * delegate, or the class does not say delegates_queues).
 */
int virtio_device_delegate_queue(struct virtio_device *device, unsigned index,
                                 struct device_queue_fds *fds);

/* Gives used buffers of queue `index` to the driver: interrupts it if it asked for that. */
void virtio_device_notify(struct virtio_device *device, unsigned index);

/* Tells the driver that configuration space changed (virtio 1.2, 2.5). */
void virtio_device_config_changed(struct virtio_device *device);

/*
 * The guest broke the rules: sets DEVICE_NEEDS_RESET (virtio 1.2, 2.1.2), logs `why` (limited),
 * and stops the queues until the driver resets the device.
 */
void virtio_device_fail(struct virtio_device *device, const char *why);

/*
 * The transport's lock; taken by fd handlers and public functions of the device, on the I/O loop;
 * recursive it is not. A reset that waits for the I/O loop has happened when it returns.
 */
void virtio_device_lock(struct virtio_device *device);
void virtio_device_unlock(struct virtio_device *device);

#endif
