/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by block.c (the device) and request.c (its requests). */
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
    /* What a flush has to write out; NULL if it need not: a read-only disk, or a file without a
     * name, which nobody can read after this VM. */
    struct dirty *dirty;
};

/*
 * Serves the request in `chain`, or the part for which this turn has room. Returns 1 if it is
 * complete, 0 if it was put back to be continued, -EINVAL for a chain without room for header and
 * status.
 */
int block_serve(struct block *block, const struct virtqueue_chain *chain);

#endif
