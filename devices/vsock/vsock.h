/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio socket device (virtio 1.2, 5.10), whose host side is UNIX stream sockets. The creator of
 * the device decides where a guest's connect() to CID 2 leads. A host process that connects to the
 * device's listener and writes "CONNECT P\n" reaches the guest's listener on port P; it first reads
 * "OK\n". The device itself opens and connects nothing.
 */
#ifndef MICROVM_DEVICES_VSOCK_VSOCK_H
#define MICROVM_DEVICES_VSOCK_VSOCK_H

#include "devices/virtio/device.h"
#include "vmm/base/error.h"

struct vsock_backend {
    uint64_t guest_cid; /* >= 3 */
    int listener_fd; /* listening, non-blocking; owned by the device from success on; -1 = none */
    void *opaque;
    /* Returns a connected stream socket for a guest that connects to `port`, owned by the device
     * from then on, or a negative errno. I/O loop. */
    int (*connect)(void *opaque, uint32_t port);
};

/* At most VSOCK_CONNECTIONS_MAX connections at a time; further ones get a reset. */
#define VSOCK_CONNECTIONS_MAX 256

int vsock_create(const struct vsock_backend *backend, struct virtio_device **device,
                 struct error *err);

/* Its class, for the code that gathers what devices need. */
extern const struct virtio_device_class vsock_class;

#endif
