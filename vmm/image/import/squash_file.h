/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor as an output file of libsquashfs; it keeps the errno of a failed write. */
#ifndef MICROVM_IMAGE_IMPORT_SQUASH_FILE_H
#define MICROVM_IMAGE_IMPORT_SQUASH_FILE_H

#include <sqfs/io.h>
#include <stdint.h>

struct squash_file {
    sqfs_file_t base; /* must be first: libsquashfs sees only this */
    int fd;           /* borrowed */
    uint64_t size;
    int failure; /* positive errno of the first failure, 0 = none */
};

/* The owner releases it; libsquashfs does not destroy it. */
void squash_file_init(struct squash_file *file, int fd);

#endif
