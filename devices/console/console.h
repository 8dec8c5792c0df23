/* SPDX-License-Identifier: Apache-2.0 */
/* virtio console, one port (virtio 1.2, 5.3): kernel log and emergency shell. */
#ifndef MICROVM_DEVICES_CONSOLE_CONSOLE_H
#define MICROVM_DEVICES_CONSOLE_CONSOLE_H

#include "devices/virtio/device.h"
#include "vmm/base/error.h"

/*
 * Descriptors are non-blocking, not owned, may be the same, and -1 means none. The caller ignores
 * SIGPIPE: once the reader of the output has disconnected, further output is discarded.
 */
struct console_backend {
    int input_fd;  /* bytes for the guest */
    int output_fd; /* bytes from the guest; if it would block, the queue waits */
    /* Optional: also gets every byte from the guest once, when it is written or discarded (for a
     * bounded log, the last lines of a panic). */
    void (*tee)(void *opaque, const void *data, size_t size);
    void *tee_opaque;
};

int console_create(const struct console_backend *backend, struct virtio_device **device,
                   struct error *err);

/* New window size in characters (virtio 1.2, 5.3.4, VIRTIO_CONSOLE_F_SIZE). */
void console_set_size(struct virtio_device *device, uint16_t columns, uint16_t rows);

/* Its class, for the code that gathers what devices need. */
extern const struct virtio_device_class console_class;

#endif
