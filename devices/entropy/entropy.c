/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device (virtio 1.2, 5.4): fills the driver's buffers by getrandom(2). */
#include "devices/entropy/entropy.h"
#include "vmm/base/bytes.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>

#define QUEUE_SIZE 16
#define BYTES_MAX  4096 /* of one chain; the driver makes another request for more */

/* Fills the beginning of the chain. Returns the count of bytes. */
static uint32_t fill(const struct virtqueue_chain *chain)
{
    struct iovec parts[VIRTQUEUE_SEGMENTS_MAX];
    unsigned count = virtqueue_slice(virtqueue_chain_writable(chain), chain->writable_count, 0,
                                     BYTES_MAX, parts);
    uint32_t filled = 0;

    for (unsigned i = 0; i < count; i++) {
        ssize_t got = getrandom(parts[i].iov_base, parts[i].iov_len, 0);

        if (got <= 0)
            break;
        filled += (uint32_t)got;
        if ((size_t)got < parts[i].iov_len)
            break;
    }
    return filled;
}

static void handle_queue(struct virtio_device *device, unsigned index)
{
    struct virtqueue_chain chain;
    int rc;

    while ((rc = virtio_device_pop(device, index, &chain)) > 0) {
        uint32_t filled;

        if (chain.writable_count == 0) {
            rc = -EINVAL;
            break;
        }
        filled = fill(&chain);
        virtqueue_push_used(&device->queues[index], chain.head, filled);
        virtio_device_spend(device, filled);
    }
    virtio_device_end_turn(device, index, rc, "a bad buffer");
}

static void destroy(struct virtio_device *device)
{
    free(device);
}

static const struct syscall_rule calls[] = {
    {__NR_getrandom, SYSCALL_ALWAYS, 0, 0},
};

const struct virtio_device_class entropy_class = {
    .name = "entropy",
    .device_id = VIRTIO_ID_RNG,
    .queue_count = 1,
    .queue_names = {"requestq"},
    .queue_size_max = QUEUE_SIZE,
    .calls = {calls, ARRAY_LENGTH(calls)},
    .handle_queue = handle_queue,
    .destroy = destroy,
};

int entropy_create(struct virtio_device **device, struct error *err)
{
    struct virtio_device *created = calloc(1, sizeof(*created));

    if (!created)
        return error_set_errno(err, ENOMEM, "entropy");
    created->class = &entropy_class;
    *device = created;
    return 0;
}
