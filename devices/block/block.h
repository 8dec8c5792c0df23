/* SPDX-License-Identifier: Apache-2.0 */
/* virtio block device over a raw file (virtio 1.2, 5.2). */
#ifndef MICROVM_DEVICES_BLOCK_BLOCK_H
#define MICROVM_DEVICES_BLOCK_BLOCK_H

#include <stdbool.h>

#include "devices/virtio/device.h"
#include "vmm/base/error.h"

#define BLOCK_SERIAL_SIZE 20 /* bytes of the identifier (virtio 1.2, 5.2.6) */

struct block_backend {
    int fd;             /* regular file or block device, owned by the device from success on */
    bool read_only;     /* VIRTIO_BLK_F_RO; writes, discards fail with VIRTIO_BLK_S_IOERR */
    const char *serial; /* at most BLOCK_SERIAL_SIZE bytes, copied */
};

/* Whether a file of `size` bytes can be a disk: a whole number of sectors, at least one. Errors:
 * EINVAL. */
int block_check_size(uint64_t size, struct error *err);

/*
 * The capacity is the size of the file. Errors: EINVAL (neither a file nor a block device, not a
 * whole number of 512-byte sectors, or none), ENOMEM, of fstat(2); the caller prepends the name.
 */
int block_create(const struct block_backend *backend, struct virtio_device **device,
                 struct error *err);

/* Its class, for the code that gathers what devices need. */
extern const struct virtio_device_class block_class;

#endif
