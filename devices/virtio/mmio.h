/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-mmio transport, version 2 (virtio 1.2, 4.2). */
#ifndef MICROVM_DEVICES_VIRTIO_MMIO_H
#define MICROVM_DEVICES_VIRTIO_MMIO_H

#include <linux/virtio_mmio.h> /* register offsets, VIRTIO_MMIO_QUEUE_NOTIFY among them */
#include <stddef.h>
#include <stdint.h>

#include "devices/device_callbacks.h"
#include "devices/virtio/device.h"
#include "vmm/base/error.h"

#define VIRTIO_MMIO_SIZE 0x200U /* bytes of register space incl. configuration */

struct virtio_mmio;

/*
 * Takes ownership of `device` (destroyed with the transport). `memory` must outlive it, and must
 * not move or shrink: a ready queue keeps the addresses of its areas. `host` is copied.
 */
int virtio_mmio_create(struct virtio_device *device, const struct guest_memory *memory,
                       const struct device_host *host, struct virtio_mmio **mmio,
                       struct error *err);
void virtio_mmio_destroy(struct virtio_mmio *mmio);

/* Register access at `offset`; any thread; any offset, size and alignment. */
void virtio_mmio_read(struct virtio_mmio *mmio, uint64_t offset, void *data, uint32_t size);
void virtio_mmio_write(struct virtio_mmio *mmio, uint64_t offset, const void *data, uint32_t size);

/* The driver's notification of queue `index`, by eventfd or by kick (below). I/O loop only. */
void virtio_mmio_notify(struct virtio_mmio *mmio, unsigned index);

/*
 * A vCPU thread never does a device's work: when virtio_mmio_write() causes work (a QueueNotify
 * without ioeventfd, a reset, DRIVER_OK), it calls `kick`, on any thread, after which the I/O loop
 * calls virtio_mmio_notify(index). Writing to the ioeventfd of the queue does that. A change of the
 * status has its own index, VIRTIO_MMIO_STATUS_KICK, because a queue's kicks may go to another
 * process. Without a kick (tests) the caller does the work at once.
 */
#define VIRTIO_MMIO_STATUS_KICK VIRTIO_DEVICE_QUEUES
void virtio_mmio_set_kick(struct virtio_mmio *mmio, void (*kick)(void *opaque, unsigned index),
                          void *opaque);

const struct virtio_device *virtio_mmio_device(const struct virtio_mmio *mmio);

/*
 * State of transport and device for a snapshot: plain bytes without pointers, of
 * virtio_mmio_state_size() bytes. I/O loop, with the vCPUs stopped. Loading, into a transport for
 * the same kind of device, validates the state: after -EINVAL no queue is ready, and the device
 * must be destroyed.
 */
size_t virtio_mmio_state_size(const struct virtio_mmio *mmio);
void virtio_mmio_save(struct virtio_mmio *mmio, void *state);
int virtio_mmio_load(struct virtio_mmio *mmio, const void *state, struct error *err);

/* Groups of registers (virtio 1.2, 4.2.2), for statistics. */
enum virtio_mmio_register_group {
    VIRTIO_MMIO_GROUP_IDENTITY, /* MagicValue, Version, DeviceID, VendorID */
    VIRTIO_MMIO_GROUP_FEATURES,
    VIRTIO_MMIO_GROUP_QUEUES, /* their set-up */
    VIRTIO_MMIO_GROUP_NOTIFY, /* QueueNotify, where no ioeventfd handles it */
    VIRTIO_MMIO_GROUP_INTERRUPTS,
    VIRTIO_MMIO_GROUP_STATUS,
    VIRTIO_MMIO_GROUP_CONFIG, /* the device's configuration space */
    VIRTIO_MMIO_GROUP_NOTHING,
    VIRTIO_MMIO_GROUPS
};
enum virtio_mmio_register_group virtio_mmio_register_group(uint64_t offset);
const char *virtio_mmio_register_group_name(enum virtio_mmio_register_group group); /* "status" */

/* Decisions to notify the driver of used buffers of one queue, or not. */
struct virtio_mmio_queue_counts {
    uint64_t notified, suppressed;
};

/* Counters for exit statistics and tests. */
struct virtio_mmio_counts {
    uint64_t register_reads, register_writes; /* exits to user space */
    uint64_t kicks;                           /* queue notifications handled */
    uint64_t interrupts;
    uint64_t bytes;  /* moved by the device for its queues */
    uint64_t yields; /* turns that ended before the work did */
    struct virtio_mmio_queue_counts queues[VIRTIO_DEVICE_QUEUES];
};
void virtio_mmio_get_counts(const struct virtio_mmio *mmio, struct virtio_mmio_counts *counts);

#endif
