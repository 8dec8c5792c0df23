/* SPDX-License-Identifier: Apache-2.0 */
/* Views of and copies to and from the segments of one descriptor chain; see queue.h. */
#include "devices/virtio/queue.h"

#include <string.h>

unsigned virtqueue_slice(const struct iovec *segments, unsigned count, uint64_t offset,
                         uint64_t size, struct iovec *slice)
{
    unsigned used = 0;

    for (unsigned i = 0; i < count && size > 0; i++) {
        size_t part = segments[i].iov_len;

        if (offset >= part) {
            offset -= part;
            continue;
        }
        part -= offset;
        if (part > size)
            part = size;
        slice[used++] = (struct iovec){(uint8_t *)segments[i].iov_base + offset, part};
        size -= part;
        offset = 0;
    }
    return used;
}

size_t virtqueue_chain_read(const struct virtqueue_chain *chain, size_t offset, void *data,
                            size_t size)
{
    struct iovec parts[VIRTQUEUE_SEGMENTS_MAX];
    unsigned count = virtqueue_slice(virtqueue_chain_readable(chain), chain->readable_count, offset,
                                     size, parts);
    size_t copied = 0;

    for (unsigned i = 0; i < count; i++) {
        guest_memory_fetch((uint8_t *)data + copied, parts[i].iov_base, parts[i].iov_len);
        copied += parts[i].iov_len;
    }
    return copied;
}

size_t virtqueue_chain_write(const struct virtqueue_chain *chain, size_t offset, const void *data,
                             size_t size)
{
    struct iovec parts[VIRTQUEUE_SEGMENTS_MAX];
    unsigned count = virtqueue_slice(virtqueue_chain_writable(chain), chain->writable_count, offset,
                                     size, parts);
    size_t copied = 0;

    for (unsigned i = 0; i < count; i++) {
        memcpy(parts[i].iov_base, (const uint8_t *)data + copied, parts[i].iov_len);
        copied += parts[i].iov_len;
    }
    return copied;
}
