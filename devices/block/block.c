/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: virtio block device over a raw file (virtio 1.2, 5.2).
 *
 * A request is a chain: a 16-byte header, data (in either direction), one status byte at the very
 * end; nothing is assumed of how these are cut into descriptors. Data moves by preadv and pwritev
 * straight between the file and guest memory. Requests are served one after the other on the I/O
 * loop: the page cache answers most of them, and a slow disk delays the other devices of the same
 * machine only.
 */
#include "devices/block/block.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devices/block/file_ranges.h"
#include "devices/virtio/narrate.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define SECTOR_SIZE       512U
#define QUEUE_SIZE        256
#define REQUESTS_PER_TURN 32
/* Of discard and write-zeroes: ranges in one request, sectors (1 GiB) in one range. */
#define RANGES_MAX        16U
#define RANGE_SECTORS_MAX (1U << 21)

struct block {
    struct virtio_device device;
    int fd;
    bool read_only;
    char serial[BLOCK_SERIAL_SIZE + 1];
    uint64_t capacity; /* sectors */
    unsigned warnings; /* limits the log */
};

/* Nothing of it changes at run time; a snapshot of another disk is told apart by it. */
struct block_state {
    uint64_t capacity;
    uint64_t read_only;
};

struct request {
    uint32_t type;
    uint64_t sector;
    uint64_t data_size; /* bytes of data in the direction of the request */
    uint32_t written;   /* bytes of data written to guest memory */
    const struct virtqueue_chain *chain;
};

static struct block *block_of(struct virtio_device *device)
{
    return (struct block *)device;
}

static bool in_bounds(const struct block *block, uint64_t sector, uint64_t count)
{
    return sector <= block->capacity && count <= block->capacity - sector;
}

static uint8_t io_error(struct block *block, const char *what, int rc)
{
    log_limited(&block->warnings, "disk '%s': cannot %s: %s", block->serial, what, strerror(-rc));
    return VIRTIO_BLK_S_IOERR;
}

/* Moves all data of a read or write request, by as many system calls as it takes. */
static uint8_t transfer(struct block *block, struct request *request)
{
    const struct virtqueue_chain *chain = request->chain;
    bool in = request->type == VIRTIO_BLK_T_IN;
    const struct iovec *segments =
        in ? virtqueue_chain_writable(chain) : virtqueue_chain_readable(chain);
    unsigned segment_count = in ? chain->writable_count : chain->readable_count;
    uint64_t begin = in ? 0 : sizeof(struct virtio_blk_outhdr); /* of data, in the segments */
    uint64_t done = 0;

    if (request->data_size % SECTOR_SIZE != 0 || (!in && block->read_only) ||
        !in_bounds(block, request->sector, request->data_size / SECTOR_SIZE))
        return VIRTIO_BLK_S_IOERR;
    while (done < request->data_size) {
        struct iovec rest[VIRTQUEUE_SEGMENTS_MAX];
        unsigned count =
            virtqueue_slice(segments, segment_count, begin + done, request->data_size - done, rest);
        off_t offset = (off_t)(request->sector * SECTOR_SIZE + done);
        ssize_t moved = in ? preadv(block->fd, rest, (int)count, offset)
                           : pwritev(block->fd, rest, (int)count, offset);

        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0) /* 0: the file has become shorter */
            return io_error(block, in ? "read" : "write", moved < 0 ? -errno : -EIO);
        done += (uint64_t)moved;
        if (in)
            request->written = (uint32_t)done;
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t flush(struct block *block)
{
    if (!block->read_only && fdatasync(block->fd) < 0)
        return io_error(block, "flush", -errno);
    return VIRTIO_BLK_S_OK;
}

static uint8_t get_id(const struct block *block, struct request *request)
{
    if (request->data_size < BLOCK_SERIAL_SIZE)
        return VIRTIO_BLK_S_IOERR;
    request->written =
        (uint32_t)virtqueue_chain_write(request->chain, 0, block->serial, BLOCK_SERIAL_SIZE);
    return VIRTIO_BLK_S_OK;
}

static uint8_t clear_range(struct block *block, uint32_t type,
                           const struct virtio_blk_discard_write_zeroes *range)
{
    bool discard = type == VIRTIO_BLK_T_DISCARD;
    uint64_t sector = le64toh(range->sector);
    uint32_t count = le32toh(range->num_sectors);
    uint32_t flags = le32toh(range->flags);
    off_t offset = (off_t)(sector * SECTOR_SIZE);
    off_t size = (off_t)((uint64_t)count * SECTOR_SIZE);
    int rc;

    /* 5.2.6.2: unknown flags, and "unmap" on a discard, are unsupported. */
    if (flags & ~(discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
        return VIRTIO_BLK_S_UNSUPP;
    if (count > RANGE_SECTORS_MAX || !in_bounds(block, sector, count))
        return VIRTIO_BLK_S_IOERR;
    if (count == 0)
        return VIRTIO_BLK_S_OK;
    if (discard)
        rc = file_discard(block->fd, offset, size);
    else
        rc = file_write_zeroes(block->fd, offset, size, flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
    return rc < 0 ? io_error(block, discard ? "discard" : "write zeroes", rc) : VIRTIO_BLK_S_OK;
}

static uint8_t clear_ranges(struct block *block, const struct request *request)
{
    struct virtio_blk_discard_write_zeroes ranges[RANGES_MAX];
    uint64_t count = request->data_size / sizeof(ranges[0]);

    if (block->read_only || count == 0 || count > RANGES_MAX ||
        request->data_size % sizeof(ranges[0]) != 0)
        return VIRTIO_BLK_S_IOERR;
    virtqueue_chain_read(request->chain, sizeof(struct virtio_blk_outhdr), ranges,
                         request->data_size);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t status = clear_range(block, request->type, &ranges[i]);

        if (status != VIRTIO_BLK_S_OK)
            return status;
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t execute(struct block *block, struct request *request)
{
    uint64_t readable = request->chain->readable_size - sizeof(struct virtio_blk_outhdr);
    uint64_t writable = request->chain->writable_size - 1;

    switch (request->type) {
    case VIRTIO_BLK_T_IN:
        request->data_size = writable;
        return transfer(block, request);
    case VIRTIO_BLK_T_OUT:
        request->data_size = readable;
        return transfer(block, request);
    case VIRTIO_BLK_T_FLUSH:
        return flush(block);
    case VIRTIO_BLK_T_GET_ID:
        request->data_size = writable;
        return get_id(block, request);
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        request->data_size = readable;
        return clear_ranges(block, request);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

static void narrate(const struct block *block, const struct request *request, uint8_t status)
{
    static const char *const types[] = {
        [VIRTIO_BLK_T_IN] = "IN",           [VIRTIO_BLK_T_OUT] = "OUT",
        [VIRTIO_BLK_T_FLUSH] = "FLUSH",     [VIRTIO_BLK_T_GET_ID] = "GET_ID",
        [VIRTIO_BLK_T_DISCARD] = "DISCARD", [VIRTIO_BLK_T_WRITE_ZEROES] = "WRITE_ZEROES",
    };
    static const char *const results[] = {
        [VIRTIO_BLK_S_OK] = "OK",
        [VIRTIO_BLK_S_IOERR] = "IOERR",
        [VIRTIO_BLK_S_UNSUPP] = "UNSUPP",
    };
    const char *type = request->type < ARRAY_LENGTH(types) ? types[request->type] : NULL;

    virtio_device_narrate(
        &block->device, 0,
        "VIRTIO_BLK_T_%s (%u), sector %" PRIu64 ", %" PRIu64 " bytes: VIRTIO_BLK_S_%s",
        type ? type : "?", request->type, request->sector, request->data_size, results[status]);
}

/* Returns 0, or -EINVAL for a chain without room for header and status. */
static int serve(struct block *block, const struct virtqueue_chain *chain)
{
    struct virtio_device *device = &block->device;
    struct virtio_blk_outhdr header;
    struct request request = {.chain = chain};
    uint8_t status;

    if (chain->writable_size < 1 ||
        virtqueue_chain_read(chain, 0, &header, sizeof(header)) != sizeof(header))
        return -EINVAL;
    request.type = le32toh(header.type);
    request.sector = le64toh(header.sector);
    status = execute(block, &request);
    narrate(block, &request, status);
    virtqueue_chain_write(chain, chain->writable_size - 1, &status, 1);
    return virtqueue_complete(&device->queues[0], device->memory, chain->head, request.written + 1);
}

static void handle_queue(struct virtio_device *device, unsigned index)
{
    struct virtqueue *queue = &device->queues[index];
    unsigned turn = 0;
    int rc = 0;

    for (; turn < REQUESTS_PER_TURN; turn++) {
        struct virtqueue_chain chain;

        rc = virtqueue_take(queue, device->memory, &chain);
        if (rc > 0)
            rc = serve(block_of(device), &chain) < 0 ? -EINVAL : 1;
        if (rc <= 0)
            break;
    }
    if (rc < 0) {
        virtio_device_fail(device, "a bad request chain");
        return;
    }
    virtio_device_notify(device, index);
    if (turn == REQUESTS_PER_TURN)
        virtio_device_handle_later(device, index);
}

static void read_config(struct virtio_device *device, uint32_t offset, void *data, uint32_t size)
{
    struct virtio_blk_config config = {
        .capacity = htole64(block_of(device)->capacity),
        .seg_max = htole32(QUEUE_SIZE - 2), /* less header and status */
        .blk_size = htole32(SECTOR_SIZE),
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
    close(block_of(device)->fd);
    free(device);
}

static const struct virtio_device_class block_class = {
    .name = "block",
    .device_id = VIRTIO_ID_BLOCK,
    .features = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
                1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_RO |
                1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES,
    .queue_count = 1,
    .queue_names = {"requestq"},
    .queue_size_max = QUEUE_SIZE,
    .state_size = sizeof(struct block_state),
    .handle_queue = handle_queue,
    .read_config = read_config,
    .save = save,
    .load = load,
    .destroy = destroy,
};

static int file_size(int fd, uint64_t *size)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISBLK(status.st_mode))
        return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    *size = (uint64_t)status.st_size;
    return 0;
}

int block_create(const struct block_backend *backend, struct virtio_device **device,
                 struct error *err)
{
    struct block *block;
    uint64_t size = 0;
    int rc = file_size(backend->fd, &size);

    if (rc == -EINVAL)
        return error_set(err, EINVAL, "is neither a file nor a block device");
    if (rc < 0)
        return error_set_errno(err, -rc, "cannot find its size");
    if (size < SECTOR_SIZE)
        return error_set(err, EINVAL, "is smaller than one sector of 512 bytes");
    block = calloc(1, sizeof(*block));
    if (!block)
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
    *device = &block->device;
    return 0;
}
