/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: virtio socket device (virtio 1.2, 5.10), whose host side is UNIX stream sockets in one
 * directory. A guest's connect() to CID 2, port P becomes a connect() to `DIRECTORY/vsock_P`. A
 * host process that connects to `DIRECTORY/vsock` and writes "CONNECT P\n" reaches the guest's
 * listener on port P and reads back "OK\n" first.
 */
#ifndef MICROVM_DEVICES_VSOCK_VSOCK_H
#define MICROVM_DEVICES_VSOCK_VSOCK_H

#include "devices/virtio/device.h"
#include "vmm/base/error.h"

struct vsock_backend {
    uint64_t guest_cid; /* >= 3 */
    int directory_fd;   /* O_PATH or read-only directory, owned by the device from success on */
};

/* At most VSOCK_CONNECTIONS_MAX connections at a time; more are answered with a reset. */
#define VSOCK_CONNECTIONS_MAX 256

int vsock_create(const struct vsock_backend *backend, struct virtio_device **device,
                 struct error *err);

#endif
