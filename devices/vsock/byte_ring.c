/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded first-in-first-out buffer of bytes; see byte_ring.h. */
#include "devices/vsock/byte_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t wrap(uint32_t index)
{
    return index % BYTE_RING_SIZE;
}

static void append(struct byte_ring *ring, const uint8_t *from, uint32_t size)
{
    uint32_t end = wrap(ring->begin + ring->used);
    uint32_t first = size < BYTE_RING_SIZE - end ? size : BYTE_RING_SIZE - end;

    memcpy(ring->data + end, from, first);
    memcpy(ring->data, from + first, size - first);
    ring->used += size;
}

int byte_ring_append(struct byte_ring *ring, const struct iovec *segments, unsigned count)
{
    if (!ring->data)
        ring->data = malloc(BYTE_RING_SIZE);
    if (!ring->data)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        append(ring, segments[i].iov_base, (uint32_t)segments[i].iov_len);
    return 0;
}

unsigned byte_ring_segments(const struct byte_ring *ring, struct iovec segments[2])
{
    uint32_t first = BYTE_RING_SIZE - ring->begin;

    if (ring->used == 0)
        return 0;
    if (ring->used <= first) {
        segments[0] = (struct iovec){ring->data + ring->begin, ring->used};
        return 1;
    }
    segments[0] = (struct iovec){ring->data + ring->begin, first};
    segments[1] = (struct iovec){ring->data, ring->used - first};
    return 2;
}

void byte_ring_consume(struct byte_ring *ring, uint32_t size)
{
    ring->used -= size;
    ring->begin = ring->used == 0 ? 0 : wrap(ring->begin + size);
}

void byte_ring_release(struct byte_ring *ring)
{
    free(ring->data);
    *ring = (struct byte_ring){0};
}
