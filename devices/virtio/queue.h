/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7) with indirect descriptors and event index, and a cursor over
 * one descriptor chain. The guest is not trusted: addresses and lengths are translated together
 * when a chain is popped, each descriptor is copied once, and chains, heads and indices are
 * bounded.
 */
#ifndef MICROVM_DEVICES_VIRTIO_QUEUE_H
#define MICROVM_DEVICES_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/guest_memory.h"

#define VIRTQUEUE_SIZE_MAX     256
#define VIRTQUEUE_SEGMENTS_MAX 256 /* descriptors of one chain, including indirect ones */

/* Events of a queue, for a tracer. */
enum virtqueue_step {
    VIRTQUEUE_POPPED, /* chain `head`, at `index` of the available ring; its descriptors follow */
    VIRTQUEUE_DESCRIPTOR, /* address, length, flags as the driver wrote them */
    VIRTQUEUE_POP_UNDONE, /* the chain popped last, of which `length` bytes are processed */
    VIRTQUEUE_USED,       /* chain `head` with `length` bytes, at `index` of the used ring */
};

struct virtqueue_event {
    enum virtqueue_step step;
    uint16_t head, index, flags;
    bool in_indirect; /* the descriptor is of an indirect table */
    uint32_t length;
    uint64_t address;
};

/*
 * The areas behind a queue's addresses, translated once, when it becomes ready: guest memory does
 * not move or shrink while a VM exists. Set while the queue is ready, else NULL.
 */
struct virtqueue_areas {
    const uint8_t *descriptors; /* size * 16 bytes */
    uint8_t *available;         /* flags, index, size * 2 bytes, used_event */
    uint8_t *used;              /* flags, index, size * 8 bytes, avail_event */
};

/* Plain state, part of a snapshot, except for the areas and the last two members. */
struct virtqueue {
    uint16_t size; /* as set by the driver: power of two, <= max */
    uint16_t size_max;
    bool ready;       /* changed by virtqueue_start() and virtqueue_stop() only */
    bool event_index; /* VIRTIO_F_EVENT_IDX negotiated */
    bool indirect;    /* VIRTIO_F_INDIRECT_DESC negotiated */
    uint64_t descriptors, available, used; /* guest addresses of the three areas */
    uint16_t next_available;
    uint16_t next_used;
    uint16_t signalled_used; /* next_used at the last decision about an interrupt */
    uint32_t progress;       /* processed bytes of the next available chain, which was put back */
    struct virtqueue_areas areas;
    /* Is called for each step, in order; NULL = no tracer. */
    void (*trace)(void *opaque, const struct virtqueue *queue, const struct virtqueue_event *event);
    void *trace_opaque;
};

/*
 * One chain popped from a queue: device-readable segments first, then device-writable ones, already
 * translated. The caller provides it (about 4 KiB) and may keep it until virtqueue_push_used().
 */
struct virtqueue_chain {
    uint16_t head;
    uint32_t progress; /* processed bytes: it was popped before, and put back */
    unsigned readable_count, writable_count;
    uint64_t readable_size, writable_size;         /* bytes in total */
    struct iovec segments[VIRTQUEUE_SEGMENTS_MAX]; /* readable, then writable */
};

/*
 * Makes the queue ready, if the driver's setup is valid: a size that is a power of two within
 * bounds, areas that are aligned (virtio 1.2, 2.7) and entirely inside guest memory. Their
 * translations are kept until virtqueue_stop(), so `memory` must not move or shrink before. Errors:
 * EINVAL, and the queue is not ready.
 */
int virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory);

/* The queue is not ready any more, and keeps no address of guest memory. */
void virtqueue_stop(struct virtqueue *queue);

/*
 * Pops the next available chain. Returns 1, 0 (none; with event index, notifications were enabled
 * and the ring checked again), or -EINVAL if the guest violated the specification: then the caller
 * fails the device.
 */
int virtqueue_pop(struct virtqueue *queue, const struct guest_memory *memory,
                  struct virtqueue_chain *chain);

/*
 * Puts the chain popped last back: it could not be served yet, or only its first `progress` bytes.
 * The guest may change it meanwhile, so the number must be checked against the chain later.
 */
void virtqueue_undo_pop(struct virtqueue *queue, uint32_t progress);

/* Returns chain `head` to the driver with `written` bytes. Errors: EINVAL, the queue is not
 * ready. */
int virtqueue_push_used(struct virtqueue *queue, uint16_t head, uint32_t written);

/* One element of the used ring. */
struct virtqueue_used {
    uint16_t head;
    uint32_t written;
};

/* The same for `count` chains that the driver must see at once: one store of the used index. */
int virtqueue_push_used_batch(struct virtqueue *queue, const struct virtqueue_used *used,
                              unsigned count);

/* Whether the driver wants an interrupt for the buffers used since the last call. */
bool virtqueue_needs_interrupt(struct virtqueue *queue);

/* The chain's device-readable and device-writable segments. */
static inline const struct iovec *virtqueue_chain_readable(const struct virtqueue_chain *chain)
{
    return chain->segments;
}

static inline const struct iovec *virtqueue_chain_writable(const struct virtqueue_chain *chain)
{
    return chain->segments + chain->readable_count;
}

/*
 * Fills `slice` (VIRTQUEUE_SEGMENTS_MAX entries) with the part of `segments` that begins at byte
 * `offset` and has at most `size` bytes, for readv(2) and its family. Returns the entries used.
 */
unsigned virtqueue_slice(const struct iovec *segments, unsigned count, uint64_t offset,
                         uint64_t size, struct iovec *slice);

/* Copy between a chain's readable (writable) part and `data`, from byte `offset` of that part;
 * bytes copied. */
size_t virtqueue_chain_read(const struct virtqueue_chain *chain, size_t offset, void *data,
                            size_t size);
size_t virtqueue_chain_write(const struct virtqueue_chain *chain, size_t offset, const void *data,
                             size_t size);

#endif
