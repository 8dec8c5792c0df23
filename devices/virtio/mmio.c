/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the virtio-mmio transport, and its functions for devices.
 *
 * Two kinds of threads meet here. vCPU threads access registers (mmio_registers.c): they change
 * transport state under the lock and never run a device's work. The I/O loop runs that work, under
 * the same lock. A reset stops the queues at once, on the vCPU thread, so that the driver can rely
 * on it; the device is notified of it, by virtio_mmio_settle(), before it does anything else.
 */
#include "devices/virtio/mmio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/mmio_private.h"
#include "devices/virtio/request_trace.h"
#include "vmm/base/log.h"

void virtio_mmio_clear_queues(struct virtio_mmio *mmio)
{
    struct virtio_device *device = mmio->device;

    for (unsigned i = 0; i < device->class->queue_count; i++)
        device->queues[i] = (struct virtqueue){.size_max = device->class->queue_size_max};
    virtio_device_trace_queues(device);
}

int virtio_mmio_create(struct virtio_device *device, const struct guest_memory *memory,
                       const struct device_host *host, struct virtio_mmio **mmio, struct error *err)
{
    struct virtio_mmio *created = calloc(1, sizeof(*created));

    if (!created)
        return error_set_errno(err, ENOMEM, "virtio %s", device->class->name);
    pthread_mutex_init(&created->lock, NULL);
    created->device = device;
    created->memory = memory;
    device->memory = memory;
    device->host = *host;
    device->transport = created;
    device->features |= VIRTIO_MMIO_FEATURES;
    virtio_mmio_clear_queues(created);
    *mmio = created;
    return 0;
}

void virtio_mmio_destroy(struct virtio_mmio *mmio)
{
    if (!mmio)
        return;
    mmio->device->class->destroy(mmio->device);
    pthread_mutex_destroy(&mmio->lock);
    free(mmio);
}

void virtio_mmio_set_kick(struct virtio_mmio *mmio, void (*kick)(void *opaque, unsigned index),
                          void *opaque)
{
    mmio->kick = kick;
    mmio->kick_opaque = opaque;
}

const struct virtio_device *virtio_mmio_device(const struct virtio_mmio *mmio)
{
    return mmio->device;
}

void virtio_mmio_get_counts(const struct virtio_mmio *mmio, struct virtio_mmio_counts *counts)
{
    const struct virtio_mmio_counts *from = &mmio->counts;

    counts->register_reads = __atomic_load_n(&from->register_reads, __ATOMIC_RELAXED);
    counts->register_writes = __atomic_load_n(&from->register_writes, __ATOMIC_RELAXED);
    counts->kicks = __atomic_load_n(&from->kicks, __ATOMIC_RELAXED);
    counts->interrupts = __atomic_load_n(&from->interrupts, __ATOMIC_RELAXED);
    counts->bytes = __atomic_load_n(&from->bytes, __ATOMIC_RELAXED);
    counts->yields = __atomic_load_n(&from->yields, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < VIRTIO_DEVICE_QUEUES; i++) {
        counts->queues[i].notified = __atomic_load_n(&from->queues[i].notified, __ATOMIC_RELAXED);
        counts->queues[i].suppressed =
            __atomic_load_n(&from->queues[i].suppressed, __ATOMIC_RELAXED);
    }
}

/* The other processes have stopped: the I/O loop serves the queues again. */
static void reclaim_queues(struct virtio_mmio *mmio)
{
    const struct device_host *host = &mmio->device->host;

    for (unsigned i = 0; i < mmio->device->class->queue_count; i++) {
        if (virtio_mmio_delegated(mmio, i))
            host->reclaim_queue(host->opaque, i);
    }
    __atomic_store_n(&mmio->delegated, 0, __ATOMIC_SEQ_CST);
}

/* The queues of a loaded VM may hold buffers of which its driver has already notified the
 * device. */
static void handle_ready_queues(struct virtio_mmio *mmio)
{
    struct virtio_device *device = mmio->device;

    for (unsigned i = 0; i < device->class->queue_count; i++) {
        if (!device->queues[i].ready)
            continue;
        if (!virtio_mmio_delegated(mmio, i))
            device->class->handle_queue(device, i);
        else if (mmio->kick)
            mmio->kick(mmio->kick_opaque, i);
    }
}

void virtio_mmio_settle(struct virtio_mmio *mmio)
{
    struct virtio_device *device = mmio->device;

    if (mmio->reset_pending) {
        if (device->class->reset)
            device->class->reset(device);
        reclaim_queues(mmio);
        mmio->reset_pending = false;
    }
    if (mmio->activate_pending) {
        mmio->activate_pending = false;
        if (device->class->activate)
            device->class->activate(device);
        handle_ready_queues(mmio);
    }
}

int virtio_device_delegate_queue(struct virtio_device *device, unsigned index,
                                 struct device_queue_fds *fds)
{
    const struct device_host *host = &device->host;

    if (!host->delegate_queue || !device->class->delegates_queues)
        return -ENOTSUP;
    if (index >= device->class->queue_count || !device->queues[index].ready)
        return -EINVAL;
    host->delegate_queue(host->opaque, index, fds);
    __atomic_fetch_or(&device->transport->delegated, 1U << index, __ATOMIC_SEQ_CST);
    virtio_device_trace(device, index, "served by another process from now on");
    return 0;
}

void virtio_mmio_notify(struct virtio_mmio *mmio, unsigned index)
{
    struct virtio_device *device = mmio->device;
    bool settles; /* woken by a change of the status, not by the driver's notification */

    pthread_mutex_lock(&mmio->lock);
    virtio_device_begin_turn(device);
    settles = mmio->reset_pending || mmio->activate_pending;
    virtio_mmio_settle(mmio);
    virtio_mmio_count(&mmio->counts.kicks);
    if (index < device->class->queue_count && device->queues[index].ready &&
        !virtio_mmio_delegated(mmio, index) && (mmio->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        if (!settles)
            virtio_device_trace(device, index, "available buffer notification (QueueNotify = %u)",
                                index);
        device->class->handle_queue(device, index);
    }
    virtio_device_unlock(device);
}

void virtio_device_lock(struct virtio_device *device)
{
    pthread_mutex_lock(&device->transport->lock);
    virtio_device_begin_turn(device);
    virtio_mmio_settle(device->transport);
}

void virtio_device_unlock(struct virtio_device *device)
{
    pthread_mutex_unlock(&device->transport->lock);
}

static void interrupt(struct virtio_device *device, uint32_t cause)
{
    struct virtio_mmio *mmio = device->transport;

    __atomic_fetch_or(&mmio->interrupt_status, cause, __ATOMIC_SEQ_CST);
    virtio_mmio_count(&mmio->counts.interrupts);
    device->host.raise_interrupt(device->host.opaque);
}

void virtio_device_notify(struct virtio_device *device, unsigned index)
{
    struct virtio_mmio_queue_counts *counts = &device->transport->counts.queues[index];
    struct virtqueue *queue = &device->queues[index];
    bool anything_used = queue->next_used != queue->signalled_used;

    if (virtqueue_needs_interrupt(queue)) {
        virtio_mmio_count(&counts->notified);
        virtio_device_trace(device, index, "used buffer notification: interrupt");
        interrupt(device, VIRTIO_MMIO_INT_VRING);
    } else if (anything_used) {
        virtio_mmio_count(&counts->suppressed);
        virtio_device_trace(device, index, "used buffer notification suppressed by the driver (%s)",
                            queue->event_index ? "used_event" : "VIRTQ_AVAIL_F_NO_INTERRUPT");
    }
}

void virtio_device_config_changed(struct virtio_device *device)
{
    struct virtio_mmio *mmio = device->transport;

    mmio->config_generation++;
    virtio_device_trace(device, TRACE_NO_QUEUE, "configuration change notification");
    if (mmio->status & VIRTIO_CONFIG_S_DRIVER_OK)
        interrupt(device, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_device_fail(struct virtio_device *device, const char *why)
{
    struct virtio_mmio *mmio = device->transport;

    log_limited(&mmio->warnings,
                "virtio %s: the guest's driver violated the specification (%s); "
                "the device needs a reset",
                device->class->name, why);
    virtio_device_trace(device, TRACE_NO_QUEUE, "DEVICE_NEEDS_RESET: %s", why);
    for (unsigned i = 0; i < device->class->queue_count; i++)
        virtqueue_stop(&device->queues[i]);
    mmio->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    virtio_device_config_changed(device);
}

void virtio_device_copy_config(const void *config, size_t config_size, uint32_t offset, void *data,
                               uint32_t size)
{
    memset(data, 0, size);
    if (offset >= config_size)
        return;
    if (size > config_size - offset)
        size = (uint32_t)(config_size - offset);
    memcpy(data, (const uint8_t *)config + offset, size);
}
