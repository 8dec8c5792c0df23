/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live trace of a device, in the terms of virtio 1.2: notifications of the driver, popped chains,
 * the decoded request, used buffers, and whether the driver was notified. For learners; without a
 * tracer (devices/device_callbacks.h) a step costs one comparison.
 *
 * A guest can only put numbers into a line, so a line is plain ASCII and short.
 */
#ifndef MICROVM_DEVICES_VIRTIO_REQUEST_TRACE_H
#define MICROVM_DEVICES_VIRTIO_REQUEST_TRACE_H

#include "devices/virtio/device.h"

#define TRACE_LINE_MAX 240   /* bytes with the NUL; longer ones are truncated */
#define TRACE_NO_QUEUE (~0U) /* the line is about the device as a whole */

/* One line about queue `index`. Any thread. Does nothing without a tracer. */
void virtio_device_trace(const struct virtio_device *device, unsigned index, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));

/* Traces the events of all queues of the device, if there is a tracer. */
void virtio_device_trace_queues(struct virtio_device *device);

#endif
