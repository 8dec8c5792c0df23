/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport state in a snapshot, followed by the device's state. A snapshot is untrusted, so
 * loading checks each field as if a driver had written it.
 */
#include <errno.h>
#include <string.h>

#include "devices/virtio/mmio_private.h"

struct queue_state {
    uint64_t descriptors, available, used;
    uint16_t size, next_available, next_used, signalled_used;
    uint32_t progress;
    uint8_t ready;
    uint8_t reserved[3]; /* zero */
};

struct transport_state {
    uint32_t device_id;
    uint32_t status;
    uint32_t device_features_select, driver_features_select;
    uint64_t driver_features;
    uint32_t queue_select;
    uint32_t config_generation;
    uint32_t interrupt_status;
    uint32_t reserved; /* zero */
    struct queue_state queues[VIRTIO_DEVICE_QUEUES];
};

_Static_assert(sizeof(struct queue_state) == 40, "no padding, so that every byte is defined");
_Static_assert(sizeof(struct transport_state) == 40 + 40 * VIRTIO_DEVICE_QUEUES, "no padding");

size_t virtio_mmio_state_size(const struct virtio_mmio *mmio)
{
    return sizeof(struct transport_state) + mmio->device->class->state_size;
}

static struct queue_state save_queue(const struct virtqueue *queue)
{
    return (struct queue_state){
        .descriptors = queue->descriptors,
        .available = queue->available,
        .used = queue->used,
        .size = queue->size,
        .next_available = queue->next_available,
        .next_used = queue->next_used,
        .signalled_used = queue->signalled_used,
        .progress = queue->progress,
        .ready = queue->ready,
    };
}

void virtio_mmio_save(struct virtio_mmio *mmio, void *state)
{
    struct virtio_device *device = mmio->device;
    struct transport_state saved = {0};

    virtio_device_lock(device);
    saved.device_id = device->class->device_id;
    saved.status = mmio->status;
    saved.device_features_select = mmio->device_features_select;
    saved.driver_features_select = mmio->driver_features_select;
    saved.driver_features = mmio->driver_features;
    saved.queue_select = mmio->queue_select;
    saved.config_generation = mmio->config_generation;
    saved.interrupt_status = __atomic_load_n(&mmio->interrupt_status, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < device->class->queue_count; i++)
        saved.queues[i] = save_queue(&device->queues[i]);
    memcpy(state, &saved, sizeof(saved));
    if (device->class->state_size > 0)
        device->class->save(device, (uint8_t *)state + sizeof(saved));
    virtio_device_unlock(device);
}

static int load_queue(struct virtio_mmio *mmio, struct virtqueue *queue,
                      const struct queue_state *saved)
{
    virtqueue_stop(queue); /* its areas have the former size and address */
    queue->descriptors = saved->descriptors;
    queue->available = saved->available;
    queue->used = saved->used;
    queue->size = saved->size;
    queue->next_available = saved->next_available;
    queue->next_used = saved->next_used;
    queue->signalled_used = saved->signalled_used;
    queue->progress = saved->progress; /* any number is valid: it is only compared */
    queue->indirect = mmio->device->negotiated & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
    queue->event_index = mmio->device->negotiated & (1ULL << VIRTIO_RING_F_EVENT_IDX);
    if (saved->ready > 1)
        return -EINVAL;
    if (!saved->ready)
        return 0;
    if (!(mmio->status & VIRTIO_CONFIG_S_FEATURES_OK))
        return -EINVAL;
    return virtqueue_start(queue, mmio->memory);
}

static int load_locked(struct virtio_mmio *mmio, const struct transport_state *saved,
                       const void *device_state)
{
    struct virtio_device *device = mmio->device;
    bool negotiated = saved->status & VIRTIO_CONFIG_S_FEATURES_OK;
    bool running = saved->status & VIRTIO_CONFIG_S_DRIVER_OK;

    if (saved->device_id != device->class->device_id || saved->status > UINT8_MAX)
        return -EINVAL;
    if ((running && !negotiated) || (negotiated && (saved->driver_features & ~device->features)))
        return -EINVAL;
    mmio->status = saved->status;
    mmio->device_features_select = saved->device_features_select;
    mmio->driver_features_select = saved->driver_features_select;
    mmio->driver_features = saved->driver_features;
    mmio->queue_select = saved->queue_select;
    mmio->config_generation = saved->config_generation;
    __atomic_store_n(&mmio->interrupt_status,
                     saved->interrupt_status & (VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG),
                     __ATOMIC_SEQ_CST);
    device->negotiated = negotiated ? saved->driver_features : 0;
    for (unsigned i = 0; i < device->class->queue_count; i++) {
        if (load_queue(mmio, &device->queues[i], &saved->queues[i]) < 0)
            return -EINVAL;
    }
    if (device->class->state_size > 0 && device->class->load(device, device_state) < 0)
        return -EINVAL;
    mmio->activate_pending = running;
    return 0;
}

int virtio_mmio_load(struct virtio_mmio *mmio, const void *state, struct error *err)
{
    struct transport_state saved;
    int rc;

    memcpy(&saved, state, sizeof(saved));
    virtio_device_lock(mmio->device);
    rc = load_locked(mmio, &saved, (const uint8_t *)state + sizeof(saved));
    for (unsigned i = 0; rc < 0 && i < mmio->device->class->queue_count; i++)
        virtqueue_stop(&mmio->device->queues[i]);
    virtio_device_unlock(mmio->device);
    if (rc < 0)
        return error_set(err, EINVAL, "virtio %s: the saved state does not fit this device",
                         mmio->device->class->name);
    return 0;
}
