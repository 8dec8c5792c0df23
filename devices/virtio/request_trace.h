/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's story, told as it happens, in the words of virtio 1.2: what the driver
 * notified of, which chains were taken, what the device understood, what it used, and whether it
 * notified the driver. For people who learn; a machine without a tracer
 * (devices/device_callbacks.h) tells nothing and pays one comparison a step.
 *
 * All that a guest can put into a line is numbers, so a line is plain ASCII and short.
 */
#ifndef MICROVM_DEVICES_VIRTIO_REQUEST_TRACE_H
#define MICROVM_DEVICES_VIRTIO_REQUEST_TRACE_H

#include "devices/virtio/device.h"

#define TRACE_LINE_MAX 240   /* bytes with the NUL; longer ones are cut */
#define TRACE_NO_QUEUE (~0U) /* the line is about the device as a whole */

/* One line about queue `index`. Any thread. Does nothing without a tracer. */
void virtio_device_trace(const struct virtio_device *device, unsigned index, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));

/* Has each queue of the device tell what happens on it, if there is a tracer. */
void virtio_device_trace_queues(struct virtio_device *device);

#endif
