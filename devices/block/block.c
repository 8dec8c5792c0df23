/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device over a raw file (virtio 1.2, 5.2).
 *
 * A request is a chain: a 16-byte header, data (in either direction), one status byte at the very
 * end; they may be split into descriptors in any way. Data moves by preadv and pwritev straight
 * between the file and guest memory. Requests are served one after the other on the I/O loop, slice
 * by slice (request.c): the page cache serves most of them, and a slow disk only delays the other
 * devices of the same VM.
 */
#include "devices/block/block_private.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

#define QUEUE_SIZE   256
#define SEGMENT_SIZE (1U << 20) /* the largest of a correct driver */

/* Does not change at run time; it detects a snapshot of another disk. */
struct block_state {
    uint64_t capacity;
    uint64_t read_only;
};

static struct block *block_of(struct virtio_device *device)
{
    return (struct block *)device;
}

static void handle_queue(struct virtio_device *device, unsigned index)
{
    struct virtqueue_chain chain;
    int rc;

    while ((rc = virtio_device_pop(device, index, &chain)) > 0) {
        rc = block_serve(block_of(device), &chain);
        if (rc < 0)
            break;
        virtio_device_spend(device, 0);
    }
    virtio_device_end_turn(device, index, rc, "a bad request chain");
}

static void read_config(struct virtio_device *device, uint32_t offset, void *data, uint32_t size)
{
    struct virtio_blk_config config = {
        .capacity = htole64(block_of(device)->capacity),
        .size_max = htole32(SEGMENT_SIZE),
        .seg_max = htole32(QUEUE_SIZE - 2), /* minus header and status */
        .num_queues = htole16(1),
        .max_discard_sectors = htole32(RANGE_SECTORS_MAX),
        .max_discard_seg = htole32(RANGES_MAX),
        .discard_sector_alignment = htole32(4096 / SECTOR_SIZE),
        .max_write_zeroes_sectors = htole32(RANGE_SECTORS_MAX),
        .max_write_zeroes_seg = htole32(RANGES_MAX),
        .write_zeroes_may_unmap = 1,
    };

    virtio_device_copy_config(&config, sizeof(config), offset, data, size);
}

static void save(const struct virtio_device *device, void *state)
{
    const struct block *block = (const struct block *)device;
    struct block_state saved = {block->capacity, block->read_only};

    memcpy(state, &saved, sizeof(saved));
}

static int load(struct virtio_device *device, const void *state)
{
    const struct block *block = block_of(device);
    struct block_state saved;

    memcpy(&saved, state, sizeof(saved));
    return saved.capacity == block->capacity && saved.read_only == block->read_only ? 0 : -EINVAL;
}

static void destroy(struct virtio_device *device)
{
    struct block *block = block_of(device);

    close(block->fd);
    free(block->dirty);
    free(block);
}

static const struct syscall_rule calls[] = {
    {__NR_preadv, SYSCALL_ALWAYS, 0, 0},
    {__NR_pwritev, SYSCALL_ALWAYS, 0, 0},
    {__NR_fdatasync, SYSCALL_ALWAYS, 0, 0},
    {__NR_sync_file_range, SYSCALL_ALWAYS, 0, 0},
    {__NR_fallocate, SYSCALL_ALWAYS, 0, 0},
    {__NR_pwrite64, SYSCALL_ALWAYS, 0, 0}, /* zeroes, where fallocate(2) cannot zero */
};

const struct virtio_device_class block_class = {
    .name = "block",
    .device_id = VIRTIO_ID_BLOCK,
    /* Without VIRTIO_BLK_F_BLK_SIZE blocks have 512 bytes, same as here. */
    .features = 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |
                1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_RO |
                1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES,
    .queue_count = 1,
    .queue_names = {"requestq"},
    .queue_size_max = QUEUE_SIZE,
    .state_size = sizeof(struct block_state),
    .calls = {calls, ARRAY_LENGTH(calls)},
    .handle_queue = handle_queue,
    .read_config = read_config,
    .save = save,
    .load = load,
    .destroy = destroy,
};

/* Size of the disk in bytes, and whether its file has a name, so that it outlives its VM. */
static int examine_file(int fd, uint64_t *size, bool *has_name)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    *has_name = status.st_nlink > 0;
    if (S_ISBLK(status.st_mode))
        return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    *size = (uint64_t)status.st_size;
    return 0;
}

int block_check_size(uint64_t size, struct error *err)
{
    if (size < SECTOR_SIZE)
        return error_set(err, EINVAL, "is smaller than one sector of 512 bytes");
    if (size % SECTOR_SIZE != 0)
        return error_set(err, EINVAL,
                         "has %llu bytes, and a guest would not see the last %u, since a disk has "
                         "sectors of 512; add zeroes by 'truncate -s %%512 FILE'",
                         (unsigned long long)size, (unsigned)(size % SECTOR_SIZE));
    return 0;
}

/* Returns 0 or -ENOMEM. */
static int make_dirty(struct block *block, uint64_t size)
{
    block->dirty = malloc(sizeof(*block->dirty));
    if (!block->dirty)
        return -ENOMEM;
    dirty_init(block->dirty, size);
    return 0;
}

int block_create(const struct block_backend *backend, struct virtio_device **device,
                 struct error *err)
{
    AUTO_FREE struct block *block = NULL;
    uint64_t size = 0;
    bool has_name = true;
    int rc = examine_file(backend->fd, &size, &has_name);

    if (rc == -EINVAL)
        return error_set(err, EINVAL, "is neither a file nor a block device");
    if (rc < 0)
        return error_set_errno(err, -rc, "cannot find its size");
    rc = block_check_size(size, err);
    if (rc < 0)
        return rc;
    block = calloc(1, sizeof(*block));
    if (!block || (!backend->read_only && has_name && make_dirty(block, size) < 0))
        return error_set_errno(err, ENOMEM, "block device");
    block->device.class = &block_class;
    block->device.features = block_class.features;
    if (backend->read_only)
        block->device.features &=
            ~(1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES);
    else
        block->device.features &= ~(1ULL << VIRTIO_BLK_F_RO);
    snprintf(block->serial, sizeof(block->serial), "%s", backend->serial ? backend->serial : "");
    block->capacity = size / SECTOR_SIZE;
    block->read_only = backend->read_only;
    block->fd = backend->fd;
    *device = &steal_pointer(block)->device;
    return 0;
}
