/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much work a device does before it returns to the I/O loop.
 *
 * A guest decides how many requests there are and how large each is; but the loop also has to
 * notice when its VM must stop. So a turn ends after a number of bytes or a time, whichever comes
 * first. The clock is the coarse one, off by at most one tick.
 */
#include <errno.h>

#include "devices/virtio/mmio_private.h"
#include "devices/virtio/request_trace.h"
#include "vmm/base/io.h"

void virtio_device_begin_turn(struct virtio_device *device)
{
    device->turn = (struct virtio_turn){.end_ns = io_now_coarse_ns() + VIRTIO_TURN_NS};
}

bool virtio_device_may_go_on(const struct virtio_device *device)
{
    const struct virtio_turn *turn = &device->turn;

    return turn->spent == 0 ||
           (turn->spent < VIRTIO_TURN_BYTES && io_now_coarse_ns() < turn->end_ns);
}

void virtio_device_spend(struct virtio_device *device, uint64_t bytes)
{
    __atomic_fetch_add(&device->transport->counts.bytes, bytes, __ATOMIC_RELAXED);
    device->turn.spent += bytes > VIRTIO_STEP_COST ? bytes : VIRTIO_STEP_COST;
}

int virtio_device_pop(struct virtio_device *device, unsigned index, struct virtqueue_chain *chain)
{
    if (!virtio_device_may_go_on(device))
        return -EAGAIN;
    return virtqueue_pop(&device->queues[index], device->memory, chain);
}

void virtio_device_end_turn(struct virtio_device *device, unsigned index, int rc, const char *what)
{
    if (rc == -EINVAL) {
        virtio_device_fail(device, what);
        return;
    }
    virtio_device_notify(device, index);
    if (rc == -EAGAIN)
        virtio_device_reschedule(device, index);
}

void virtio_device_reschedule(struct virtio_device *device, unsigned index)
{
    struct virtio_mmio *mmio = device->transport;

    virtio_mmio_count(&mmio->counts.yields);
    virtio_device_trace(device, index, "goes on in another turn, notifying itself");
    if (mmio->kick)
        mmio->kick(mmio->kick_opaque, index);
}
