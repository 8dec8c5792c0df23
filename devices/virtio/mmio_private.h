/* SPDX-License-Identifier: Apache-2.0 */
/* The transport's own structure, shared by mmio.c, mmio_registers.c and mmio_state.c. */
#ifndef MICROVM_DEVICES_VIRTIO_MMIO_PRIVATE_H
#define MICROVM_DEVICES_VIRTIO_MMIO_PRIVATE_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "devices/virtio/mmio.h"

/* Offered by the transport for every device. */
#define VIRTIO_MMIO_FEATURES                                                                       \
    (1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |                            \
     1ULL << VIRTIO_RING_F_EVENT_IDX)

struct virtio_mmio {
    struct virtio_device *device;
    const struct guest_memory *memory;
    void (*kick)(void *opaque, unsigned index);
    void *kick_opaque;

    pthread_mutex_t lock; /* for everything below, except what is marked atomic */
    uint32_t status;
    uint32_t device_features_select;
    uint32_t driver_features_select;
    uint64_t driver_features; /* as written, not yet checked */
    uint32_t queue_select;
    uint32_t config_generation;
    uint32_t delegated;        /* atomic: a bit for each queue that another process serves */
    uint32_t interrupt_status; /* atomic: every interrupt reads and writes it without the lock */
    /* Changes of the status by a vCPU thread, of which the device has not been notified yet. */
    bool reset_pending;
    bool activate_pending;

    unsigned warnings;                /* atomic: limits the log */
    struct virtio_mmio_counts counts; /* atomic */
};

/* Resets all queues to their state before a driver sets them up. */
void virtio_mmio_clear_queues(struct virtio_mmio *mmio);

/* Notifies the device of a pending reset and activation. I/O loop, under the lock. */
void virtio_mmio_settle(struct virtio_mmio *mmio);

/* Whether another process serves queue `index`, or any queue. */
static inline bool virtio_mmio_delegated(const struct virtio_mmio *mmio, unsigned index)
{
    return __atomic_load_n(&mmio->delegated, __ATOMIC_SEQ_CST) >> index & 1;
}

static inline bool virtio_mmio_delegates(const struct virtio_mmio *mmio)
{
    return __atomic_load_n(&mmio->delegated, __ATOMIC_SEQ_CST) != 0;
}

static inline void virtio_mmio_count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#endif
