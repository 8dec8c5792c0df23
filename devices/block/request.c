/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the block device (virtio 1.2, 5.2.6).
 *
 * Large requests are processed in slices: a system call moves at most VIRTIO_SLICE_MAX bytes,
 * ranges are cleared and written parts flushed by a few MiB. Between two slices the turn may end;
 * the chain then goes back to the queue with the number of processed bytes, and the next turn
 * continues there. It then parses and checks everything again, since the guest may have changed it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_blk.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devices/block/block_private.h"
#include "devices/block/file_ranges.h"
#include "devices/virtio/request_trace.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define CLEAR_SLICE (UINT64_C(4) << 20) /* power of two: slices end at multiples of it */
#define CLEAR_COST  VIRTIO_SLICE_MAX /* of one slice: moves no data, but changes maps of a file */
#define UNFINISHED  (-EAGAIN)        /* instead of a status: continues in another turn */

struct request {
    uint32_t type;
    uint64_t sector;
    uint64_t data_size; /* bytes of data in the direction of the request */
    uint64_t done;      /* bytes of the work that are processed */
    uint32_t written;   /* bytes of data written to guest memory */
    const struct virtqueue_chain *chain;
};

static bool in_bounds(const struct block *block, uint64_t sector, uint64_t count)
{
    return sector <= block->capacity && count <= block->capacity - sector;
}

static int io_error(struct block *block, const char *what, int rc)
{
    log_limited(&block->warnings, "disk '%s': cannot %s: %s", block->serial, what, strerror(-rc));
    return VIRTIO_BLK_S_IOERR;
}

static void mark_dirty(struct block *block, uint64_t offset, uint64_t size)
{
    if (block->dirty)
        dirty_mark(block->dirty, offset, size);
}

/* One slice of the data, by one system call. Returns its bytes, or a negative errno. */
static ssize_t transfer_slice(struct block *block, const struct request *request)
{
    const struct virtqueue_chain *chain = request->chain;
    bool in = request->type == VIRTIO_BLK_T_IN;
    uint64_t begin = (in ? 0 : sizeof(struct virtio_blk_outhdr)) + request->done;
    uint64_t left = request->data_size - request->done;
    uint64_t offset = request->sector * SECTOR_SIZE + request->done;
    struct iovec slice[VIRTQUEUE_SEGMENTS_MAX];
    unsigned count =
        virtqueue_slice(in ? virtqueue_chain_writable(chain) : virtqueue_chain_readable(chain),
                        in ? chain->writable_count : chain->readable_count, begin,
                        left < VIRTIO_SLICE_MAX ? left : VIRTIO_SLICE_MAX, slice);
    ssize_t moved;

    do
        moved = in ? preadv(block->fd, slice, (int)count, (off_t)offset)
                   : pwritev(block->fd, slice, (int)count, (off_t)offset);
    while (moved < 0 && errno == EINTR);
    if (moved <= 0) /* 0: the file has been truncated */
        return moved < 0 ? -errno : -EIO;
    if (!in)
        mark_dirty(block, offset, (uint64_t)moved);
    return moved;
}

static int transfer(struct block *block, struct request *request)
{
    bool in = request->type == VIRTIO_BLK_T_IN;

    if (request->data_size % SECTOR_SIZE != 0 || (!in && block->read_only) ||
        !in_bounds(block, request->sector, request->data_size / SECTOR_SIZE))
        return VIRTIO_BLK_S_IOERR;
    while (request->done < request->data_size) {
        ssize_t moved;

        if (!virtio_device_may_go_on(&block->device))
            return UNFINISHED;
        if (in)
            request->written = (uint32_t)request->done;
        moved = transfer_slice(block, request);
        if (moved < 0)
            return io_error(block, in ? "read" : "write", (int)moved);
        virtio_device_spend(&block->device, (uint64_t)moved);
        request->done += (uint64_t)moved;
    }
    if (in)
        request->written = (uint32_t)request->data_size;
    return VIRTIO_BLK_S_OK;
}

/* Writes back the part that begins at `offset`, and waits for it. */
static int flush_part(const struct block *block, uint64_t offset)
{
    int rc = sync_file_range(block->fd, (off_t)offset, (off_t)block->dirty->part_size,
                             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                 SYNC_FILE_RANGE_WAIT_AFTER);

    /* If the file system cannot do it, the fdatasync(2) at the end does. */
    return rc < 0 && errno != EINVAL && errno != ESPIPE && errno != ENOSYS ? -errno : 0;
}

static int flush(struct block *block)
{
    struct dirty *dirty = block->dirty;
    uint64_t offset;

    if (!dirty)
        return VIRTIO_BLK_S_OK;
    while (dirty->count > 1) {
        int rc;

        if (!virtio_device_may_go_on(&block->device))
            return UNFINISHED;
        dirty_take(dirty, &offset);
        rc = flush_part(block, offset);
        if (rc < 0)
            return io_error(block, "flush", rc);
        virtio_device_spend(&block->device, dirty->part_size);
    }
    dirty_take(dirty, &offset);
    if (fdatasync(block->fd) < 0)
        return io_error(block, "flush", -errno);
    return VIRTIO_BLK_S_OK;
}

static int get_id(const struct block *block, struct request *request)
{
    if (request->data_size < BLOCK_SERIAL_SIZE)
        return VIRTIO_BLK_S_IOERR;
    request->written =
        (uint32_t)virtqueue_chain_write(request->chain, 0, block->serial, BLOCK_SERIAL_SIZE);
    return VIRTIO_BLK_S_OK;
}

/* ---- discard and write-zeroes ---- */

struct ranges {
    struct virtio_blk_discard_write_zeroes list[RANGES_MAX]; /* as the guest wrote them */
    unsigned count;
    uint64_t total; /* bytes */
};

static uint64_t range_size(const struct virtio_blk_discard_write_zeroes *range)
{
    return (uint64_t)le32toh(range->num_sectors) * SECTOR_SIZE;
}

static int check_range(const struct block *block, uint32_t type,
                       const struct virtio_blk_discard_write_zeroes *range)
{
    uint32_t count = le32toh(range->num_sectors);
    uint32_t known = type == VIRTIO_BLK_T_DISCARD ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;

    /* 5.2.6.2: unknown flags, and "unmap" on a discard, are unsupported. */
    if (le32toh(range->flags) & ~known)
        return VIRTIO_BLK_S_UNSUPP;
    return count <= RANGE_SECTORS_MAX && in_bounds(block, le64toh(range->sector), count)
               ? VIRTIO_BLK_S_OK
               : VIRTIO_BLK_S_IOERR;
}

/* Copies the ranges and checks all of them, before the first is processed. Returns a status. */
static int read_ranges(const struct block *block, const struct request *request,
                       struct ranges *ranges)
{
    uint64_t count = request->data_size / sizeof(ranges->list[0]);

    if (block->read_only || count == 0 || count > RANGES_MAX ||
        request->data_size % sizeof(ranges->list[0]) != 0)
        return VIRTIO_BLK_S_IOERR;
    virtqueue_chain_read(request->chain, sizeof(struct virtio_blk_outhdr), ranges->list,
                         request->data_size);
    ranges->count = (unsigned)count;
    ranges->total = 0;
    for (unsigned i = 0; i < count; i++) {
        int status = check_range(block, request->type, &ranges->list[i]);

        if (status != VIRTIO_BLK_S_OK)
            return status;
        ranges->total += range_size(&ranges->list[i]);
    }
    return VIRTIO_BLK_S_OK;
}

/* Clears the slice at `done` (< total) bytes from the beginning of the ranges. Returns its
 * bytes. */
static int64_t clear_slice(struct block *block, const struct request *request,
                           const struct ranges *ranges)
{
    const struct virtio_blk_discard_write_zeroes *range = ranges->list;
    uint64_t skip = request->done;
    uint64_t offset;
    uint64_t size;
    int rc;

    for (; skip >= range_size(range); range++)
        skip -= range_size(range);
    offset = le64toh(range->sector) * SECTOR_SIZE + skip;
    size = range_size(range) - skip;
    if (size > CLEAR_SLICE - offset % CLEAR_SLICE)
        size = CLEAR_SLICE - offset % CLEAR_SLICE;
    if (request->type == VIRTIO_BLK_T_DISCARD)
        rc = file_discard(block->fd, (off_t)offset, (off_t)size);
    else
        rc = file_write_zeroes(block->fd, (off_t)offset, (off_t)size,
                               le32toh(range->flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
    if (rc < 0)
        return rc;
    mark_dirty(block, offset, size);
    return (int64_t)size;
}

static int clear_ranges(struct block *block, struct request *request)
{
    struct ranges ranges;
    int status = read_ranges(block, request, &ranges);

    while (status == VIRTIO_BLK_S_OK && request->done < ranges.total) {
        int64_t size;

        if (!virtio_device_may_go_on(&block->device))
            return UNFINISHED;
        size = clear_slice(block, request, &ranges);
        if (size < 0)
            return io_error(block,
                            request->type == VIRTIO_BLK_T_DISCARD ? "discard" : "write zeroes",
                            (int)size);
        virtio_device_spend(&block->device, CLEAR_COST);
        request->done += (uint64_t)size;
    }
    return status;
}

/* ---- any request ---- */

/* Returns its status, or UNFINISHED. */
static int execute(struct block *block, struct request *request)
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

static void trace(const struct block *block, const struct request *request, int status)
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

    virtio_device_trace(
        &block->device, 0,
        "VIRTIO_BLK_T_%s (%u), sector %" PRIu64 ", %" PRIu64 " bytes: VIRTIO_BLK_S_%s",
        type ? type : "?", request->type, request->sector, request->data_size, results[status]);
}

int block_serve(struct block *block, const struct virtqueue_chain *chain)
{
    struct virtio_device *device = &block->device;
    struct virtio_blk_outhdr header;
    struct request request = {.chain = chain, .done = chain->progress};
    uint8_t answer;
    int status;
    int rc;

    if (chain->writable_size < 1 ||
        virtqueue_chain_read(chain, 0, &header, sizeof(header)) != sizeof(header))
        return -EINVAL;
    request.type = le32toh(header.type);
    request.sector = le64toh(header.sector);
    status = execute(block, &request);
    if (status == UNFINISHED) {
        virtqueue_undo_pop(&device->queues[0], (uint32_t)request.done);
        return 0;
    }
    trace(block, &request, status);
    answer = (uint8_t)status;
    virtqueue_chain_write(chain, chain->writable_size - 1, &answer, 1);
    rc = virtqueue_push_used(&device->queues[0], chain->head, request.written + 1);
    return rc < 0 ? rc : 1;
}
