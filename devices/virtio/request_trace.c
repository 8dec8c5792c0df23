/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a virtqueue as lines of text; see request_trace.h. */
#include "devices/virtio/request_trace.h"

#include <inttypes.h>
#include <linux/virtio_ring.h>
#include <stdarg.h>
#include <stdio.h>

void virtio_device_trace(const struct virtio_device *device, unsigned index, const char *format,
                         ...)
{
    char line[TRACE_LINE_MAX];
    va_list arguments;
    const char *about = "transport";
    int used;

    if (!device->host.trace)
        return;
    if (index < device->class->queue_count)
        about = device->class->queue_names[index];
    used = snprintf(line, sizeof(line), "%s: ", about);
    va_start(arguments, format);
    vsnprintf(line + used, sizeof(line) - (size_t)used, format, arguments);
    va_end(arguments);
    device->host.trace(device->host.opaque, line);
}

static void trace_descriptor(const struct virtio_device *device, unsigned index,
                             const struct virtqueue_event *event)
{
    const char *margin = event->in_indirect ? "    " : "  ";

    if (event->flags & VRING_DESC_F_INDIRECT)
        virtio_device_trace(
            device, index,
            "%sdescriptor: address 0x%" PRIx64 ", length %u, an indirect table of %zu", margin,
            event->address, event->length, event->length / sizeof(struct vring_desc));
    else
        virtio_device_trace(device, index,
                            "%sdescriptor: address 0x%" PRIx64 ", length %u, device-%s%s", margin,
                            event->address, event->length,
                            event->flags & VRING_DESC_F_WRITE ? "writable" : "readable",
                            event->flags & VRING_DESC_F_NEXT ? ", NEXT" : "");
}

static void trace_event(void *opaque, const struct virtqueue *queue,
                        const struct virtqueue_event *event)
{
    const struct virtio_device *device = opaque;
    unsigned index = (unsigned)(queue - device->queues);

    switch (event->step) {
    case VIRTQUEUE_POPPED:
        virtio_device_trace(device, index, "takes chain with head %u, available ring index %u",
                            event->head, event->index);
        break;
    case VIRTQUEUE_DESCRIPTOR:
        trace_descriptor(device, index, event);
        break;
    case VIRTQUEUE_POP_UNDONE:
        if (event->length > 0)
            virtio_device_trace(device, index, "puts it back: %u bytes are done", event->length);
        else
            virtio_device_trace(device, index, "puts it back: it cannot be served yet");
        break;
    case VIRTQUEUE_USED:
        virtio_device_trace(device, index, "used: head %u, length %u, used ring index %u",
                            event->head, event->length, event->index);
        break;
    }
}

void virtio_device_trace_queues(struct virtio_device *device)
{
    if (!device->host.trace)
        return;
    for (unsigned i = 0; i < device->class->queue_count; i++) {
        device->queues[i].trace = trace_event;
        device->queues[i].trace_opaque = device;
    }
}
