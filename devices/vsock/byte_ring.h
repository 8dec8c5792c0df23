/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded first-in-first-out buffer of bytes that is filled and emptied by iovecs. */
#ifndef MICROVM_DEVICES_VSOCK_BYTE_RING_H
#define MICROVM_DEVICES_VSOCK_BYTE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define BYTE_RING_SIZE 0x40000U /* 256 KiB */

/* All zeroes is an empty ring; its memory is allocated by the first append. */
struct byte_ring {
    uint8_t *data; /* BYTE_RING_SIZE bytes */
    uint32_t begin, used;
};

/* Appends all bytes of `segments`, which must fit. Returns 0 or -ENOMEM. */
int byte_ring_append(struct byte_ring *ring, const struct iovec *segments, unsigned count);

/* Fills `segments` with all bytes in order. Returns the entries used: 0, 1 or 2. */
unsigned byte_ring_segments(const struct byte_ring *ring, struct iovec segments[2]);

/* Removes the first `size` (<= used) bytes. */
void byte_ring_consume(struct byte_ring *ring, uint32_t size);

/* Frees the memory and leaves an empty ring. */
void byte_ring_release(struct byte_ring *ring);

#endif
