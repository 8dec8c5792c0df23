/* SPDX-License-Identifier: Apache-2.0 */
/* What block.c (the device) and request.c (what it is asked) share. */
#ifndef MICROVM_DEVICES_BLOCK_BLOCK_PRIVATE_H
#define MICROVM_DEVICES_BLOCK_BLOCK_PRIVATE_H

#include "devices/block/block.h"
#include "devices/block/dirty.h"

#define SECTOR_SIZE 512U
/* Of discard and write-zeroes: ranges in one request, sectors (64 MiB) in one range. */
#define RANGES_MAX        16U
#define RANGE_SECTORS_MAX (1U << 17)

struct block {
    struct virtio_device device;
    int fd;
    bool read_only;
    char serial[BLOCK_SERIAL_SIZE + 1];
    uint64_t capacity; /* sectors */
    unsigned warnings; /* limits the log */
    /* What a flush has to write out; NULL where it need not: a read-only disk, or a file without a
     * name, which nobody will ever read after this machine. */
    struct dirty *dirty;
};

/*
 * Serves the request in `chain`, or as much of it as this turn has room for. Returns 1 when it is
 * answered, 0 when it was put back to be gone on with, -EINVAL for a chain without room for header
 * and status.
 */
int block_serve(struct block *block, const struct virtqueue_chain *chain);

#endif
