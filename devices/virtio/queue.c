/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues, device side; see queue.h.
 *
 * Three areas in guest memory: the descriptor table (read here), the available ring (read here,
 * followed by the driver's used_event) and the used ring (written here, followed by our
 * avail_event). The driver runs on another processor, so order matters:
 *   - the available index is loaded with acquire before the ring entry and descriptors it covers;
 *   - the used index is stored with release after the used element it covers;
 *   - a full barrier separates publishing an index from reading the other side's event index, since
 *     both sides publish first and read then (virtio 1.2, 2.7.13.4.1).
 */
#include "devices/virtio/queue.h"

#include <errno.h>
#include <linux/virtio_ring.h>

#include "vmm/base/bytes.h"

enum {
    DESCRIPTOR_SIZE = sizeof(struct vring_desc),
    RING_INDEX = 2,   /* offset of the index in both rings */
    RING_ENTRIES = 4, /* offset of the entries in both rings */
    AVAILABLE_ENTRY_SIZE = 2,
    USED_ENTRY_SIZE = 8,
    EVENT_SIZE = 2,
};

static uint32_t available_event_offset(const struct virtqueue *queue)
{
    return RING_ENTRIES + (uint32_t)queue->size * USED_ENTRY_SIZE;
}

static uint32_t used_event_offset(const struct virtqueue *queue)
{
    return RING_ENTRIES + (uint32_t)queue->size * AVAILABLE_ENTRY_SIZE;
}

/* Ring fields are aligned: virtqueue_start() has checked the areas. */
static uint16_t load_ring(const uint8_t *at, int order)
{
    const uint16_t *field = (const uint16_t *)(const void *)at;

    return le16toh(order == __ATOMIC_ACQUIRE ? __atomic_load_n(field, __ATOMIC_ACQUIRE)
                                             : __atomic_load_n(field, __ATOMIC_RELAXED));
}

static void store_ring(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)at, htole16(value), __ATOMIC_RELEASE);
}

/* Whether size and alignment are as virtio 1.2, 2.7 requires. */
static bool layout_valid(const struct virtqueue *queue)
{
    return queue->size > 0 && queue->size <= queue->size_max && queue->size <= VIRTQUEUE_SIZE_MAX &&
           (queue->size & (queue->size - 1)) == 0 && queue->descriptors % 16 == 0 &&
           queue->available % 2 == 0 && queue->used % 4 == 0;
}

int virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory)
{
    struct virtqueue_areas areas;

    virtqueue_stop(queue);
    if (!layout_valid(queue))
        return -EINVAL;
    areas.descriptors = guest_memory_at(memory, GUEST_ADDR(queue->descriptors),
                                        (uint64_t)queue->size * DESCRIPTOR_SIZE);
    areas.available = guest_memory_at(memory, GUEST_ADDR(queue->available),
                                      used_event_offset(queue) + EVENT_SIZE);
    areas.used = guest_memory_at(memory, GUEST_ADDR(queue->used),
                                 available_event_offset(queue) + EVENT_SIZE);
    if (!areas.descriptors || !areas.available || !areas.used)
        return -EINVAL;
    queue->areas = areas;
    queue->ready = true;
    return 0;
}

void virtqueue_stop(struct virtqueue *queue)
{
    queue->ready = false;
    queue->areas = (struct virtqueue_areas){0};
}

static void trace(const struct virtqueue *queue, const struct virtqueue_event *event)
{
    if (queue->trace)
        queue->trace(queue->trace_opaque, queue, event);
}

static int append_segment(struct virtqueue_chain *chain, const struct guest_memory *memory,
                          const struct vring_desc *descriptor)
{
    bool writable = descriptor->flags & VRING_DESC_F_WRITE;
    unsigned count = chain->readable_count + chain->writable_count;
    void *host = guest_memory_at(memory, GUEST_ADDR(descriptor->addr), descriptor->len);

    /* Readable segments come first (2.7.4.2); an empty one has no translation. */
    if (!host || count == VIRTQUEUE_SEGMENTS_MAX || (!writable && chain->writable_count > 0))
        return -EINVAL;
    chain->segments[count] = (struct iovec){host, descriptor->len};
    if (writable) {
        chain->writable_count++;
        chain->writable_size += descriptor->len;
    } else {
        chain->readable_count++;
        chain->readable_size += descriptor->len;
    }
    /* 2.7.5.2: no more than 4 GiB in total, so that sizes below fit in 32 bits. */
    return chain->readable_size + chain->writable_size > UINT32_MAX ? -EINVAL : 0;
}

static struct vring_desc fetch_descriptor(const uint8_t *table, unsigned index)
{
    struct vring_desc raw;

    guest_memory_fetch(&raw, table + (size_t)index * DESCRIPTOR_SIZE, sizeof(raw));
    return (struct vring_desc){le64toh(raw.addr), le32toh(raw.len), le16toh(raw.flags),
                               le16toh(raw.next)};
}

static void trace_descriptor(const struct virtqueue *queue, const struct vring_desc *descriptor,
                             bool in_indirect)
{
    const struct virtqueue_event event = {
        .step = VIRTQUEUE_DESCRIPTOR,
        .flags = descriptor->flags,
        .in_indirect = in_indirect,
        .length = descriptor->len,
        .address = descriptor->addr,
    };

    trace(queue, &event);
}

/*
 * Appends the descriptors of `table` (`count` entries) from `index` on. Each step uses up one of
 * `count`, so a loop ends. *indirect is set, and the walk ends, at a reference to another table.
 */
static int walk_table(const struct virtqueue *queue, struct virtqueue_chain *chain,
                      const struct guest_memory *memory, const uint8_t *table, unsigned count,
                      unsigned index, struct vring_desc *indirect)
{
    for (unsigned left = count; left > 0; left--) {
        struct vring_desc descriptor;

        if (index >= count)
            return -EINVAL;
        descriptor = fetch_descriptor(table, index);
        trace_descriptor(queue, &descriptor, !indirect && queue->indirect);
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            if (!indirect || (descriptor.flags & VRING_DESC_F_NEXT)) /* 2.7.5.3.1 */
                return -EINVAL;
            *indirect = descriptor;
            return 0;
        }
        if (append_segment(chain, memory, &descriptor) < 0)
            return -EINVAL;
        if (!(descriptor.flags & VRING_DESC_F_NEXT))
            return 0;
        index = descriptor.next;
    }
    return -EINVAL;
}

static int build_chain(const struct virtqueue *queue, const struct guest_memory *memory,
                       struct virtqueue_chain *chain)
{
    struct vring_desc indirect = {0};
    const uint8_t *table;

    chain->readable_count = chain->writable_count = 0;
    chain->readable_size = chain->writable_size = 0;
    if (walk_table(queue, chain, memory, queue->areas.descriptors, queue->size, chain->head,
                   queue->indirect ? &indirect : NULL) < 0)
        return -EINVAL;
    if (!(indirect.flags & VRING_DESC_F_INDIRECT))
        return 0;
    table = guest_memory_at(memory, GUEST_ADDR(indirect.addr), indirect.len);
    if (!table || indirect.len % DESCRIPTOR_SIZE != 0 ||
        indirect.len / DESCRIPTOR_SIZE > VIRTQUEUE_SEGMENTS_MAX)
        return -EINVAL;
    return walk_table(queue, chain, memory, table, indirect.len / DESCRIPTOR_SIZE, 0, NULL);
}

/* The number of available chains that have not been popped. */
static uint16_t count_waiting(const struct virtqueue *queue)
{
    uint16_t index = load_ring(queue->areas.available + RING_INDEX, __ATOMIC_ACQUIRE);

    return (uint16_t)(index - queue->next_available);
}

int virtqueue_pop(struct virtqueue *queue, const struct guest_memory *memory,
                  struct virtqueue_chain *chain)
{
    const struct virtqueue_areas *areas = &queue->areas;
    uint16_t waiting;
    uint32_t slot;

    if (!queue->ready)
        return 0;
    waiting = count_waiting(queue);
    if (waiting == 0 && queue->event_index) {
        /* Enables the notification for the next chain, then looks again: one may have arrived
         * meanwhile. */
        store_ring(areas->used + available_event_offset(queue), queue->next_available);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        waiting = count_waiting(queue);
    }
    if (waiting == 0)
        return 0;
    if (waiting > queue->size)
        return -EINVAL;
    slot = queue->next_available % queue->size;
    chain->head = load_ring(areas->available + RING_ENTRIES + (size_t)slot * AVAILABLE_ENTRY_SIZE,
                            __ATOMIC_RELAXED);
    trace(queue, &(struct virtqueue_event){.step = VIRTQUEUE_POPPED,
                                           .head = chain->head,
                                           .index = queue->next_available});
    if (build_chain(queue, memory, chain) < 0)
        return -EINVAL;
    chain->progress = queue->progress;
    queue->progress = 0;
    queue->next_available++;
    return 1;
}

void virtqueue_undo_pop(struct virtqueue *queue, uint32_t progress)
{
    queue->progress = progress;
    queue->next_available--;
    trace(queue, &(struct virtqueue_event){.step = VIRTQUEUE_POP_UNDONE, .length = progress});
}

int virtqueue_push_used_batch(struct virtqueue *queue, const struct virtqueue_used *used,
                              unsigned count)
{
    uint8_t *ring = queue->areas.used;

    if (!queue->ready)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        uint8_t *element =
            ring + RING_ENTRIES + (size_t)(queue->next_used % queue->size) * USED_ENTRY_SIZE;

        store_le32(element, used[i].head);
        store_le32(element + 4, used[i].written);
        trace(queue, &(struct virtqueue_event){.step = VIRTQUEUE_USED,
                                               .head = used[i].head,
                                               .index = queue->next_used,
                                               .length = used[i].written});
        queue->next_used++;
    }
    store_ring(ring + RING_INDEX, queue->next_used);
    return 0;
}

int virtqueue_push_used(struct virtqueue *queue, uint16_t head, uint32_t written)
{
    const struct virtqueue_used used = {head, written};

    return virtqueue_push_used_batch(queue, &used, 1);
}

bool virtqueue_needs_interrupt(struct virtqueue *queue)
{
    const uint8_t *available = queue->areas.available;
    uint16_t before = queue->signalled_used;

    if (!queue->ready || queue->next_used == before)
        return false;
    queue->signalled_used = queue->next_used;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!queue->event_index)
        return !(load_ring(available, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT);
    return vring_need_event(load_ring(available + used_event_offset(queue), __ATOMIC_RELAXED),
                            queue->next_used, before);
}
