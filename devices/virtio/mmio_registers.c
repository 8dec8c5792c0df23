/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of the virtio-mmio transport (virtio 1.2, 4.2.2), the status state machine (3.1.1) and
 * feature negotiation. Any thread; any offset and size.
 *
 * An invalid write is ignored, like reserved bits: a driver notices when it reads back. Only an
 * unusable queue makes the device need a reset.
 */
#include <inttypes.h>
#include <string.h>

#include "devices/virtio/mmio_private.h"
#include "devices/virtio/request_trace.h"
#include "vmm/base/bytes.h"

enum {
    MAGIC = 0x74726976,  /* "virt" */
    VERSION = 2,         /* not legacy */
    VENDOR = 0x314d564d, /* "MVM1" */
    STATUS_OF_DRIVER = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                       VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK |
                       VIRTIO_CONFIG_S_FAILED,
};

static struct virtqueue *selected_queue(struct virtio_mmio *mmio)
{
    if (mmio->queue_select >= mmio->device->class->queue_count)
        return NULL;
    return &mmio->device->queues[mmio->queue_select];
}

enum virtio_mmio_register_group virtio_mmio_register_group(uint64_t offset)
{
    if (offset >= VIRTIO_MMIO_CONFIG)
        return VIRTIO_MMIO_GROUP_CONFIG;
    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
    case VIRTIO_MMIO_VERSION:
    case VIRTIO_MMIO_DEVICE_ID:
    case VIRTIO_MMIO_VENDOR_ID:
        return VIRTIO_MMIO_GROUP_IDENTITY;
    case VIRTIO_MMIO_DEVICE_FEATURES:
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
    case VIRTIO_MMIO_DRIVER_FEATURES:
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        return VIRTIO_MMIO_GROUP_FEATURES;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        return VIRTIO_MMIO_GROUP_NOTIFY;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
    case VIRTIO_MMIO_INTERRUPT_ACK:
        return VIRTIO_MMIO_GROUP_INTERRUPTS;
    case VIRTIO_MMIO_STATUS:
        return VIRTIO_MMIO_GROUP_STATUS;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return VIRTIO_MMIO_GROUP_CONFIG;
    default:
        return offset >= VIRTIO_MMIO_QUEUE_SEL && offset <= VIRTIO_MMIO_QUEUE_USED_HIGH
                   ? VIRTIO_MMIO_GROUP_QUEUES
                   : VIRTIO_MMIO_GROUP_NOTHING;
    }
}

const char *virtio_mmio_register_group_name(enum virtio_mmio_register_group group)
{
    static const char *const names[VIRTIO_MMIO_GROUPS] = {
        [VIRTIO_MMIO_GROUP_IDENTITY] = "identity",     [VIRTIO_MMIO_GROUP_FEATURES] = "features",
        [VIRTIO_MMIO_GROUP_QUEUES] = "queues",         [VIRTIO_MMIO_GROUP_NOTIFY] = "notify",
        [VIRTIO_MMIO_GROUP_INTERRUPTS] = "interrupts", [VIRTIO_MMIO_GROUP_STATUS] = "status",
        [VIRTIO_MMIO_GROUP_CONFIG] = "config",         [VIRTIO_MMIO_GROUP_NOTHING] = "nothing",
    };

    return names[group];
}

/* ---- reading ---- */

/* A process that serves a queue may have interrupted at any time, without our knowledge. */
static uint32_t interrupt_status(const struct virtio_mmio *mmio)
{
    uint32_t status = __atomic_load_n(&mmio->interrupt_status, __ATOMIC_SEQ_CST);

    return virtio_mmio_delegates(mmio) ? status | VIRTIO_MMIO_INT_VRING : status;
}

static uint32_t read_locked(struct virtio_mmio *mmio, uint32_t offset)
{
    const struct virtqueue *queue = selected_queue(mmio);

    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return mmio->device_features_select < 2
                   ? (uint32_t)(mmio->device->features >> (32 * mmio->device_features_select))
                   : 0;
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return queue ? queue->size_max : 0;
    case VIRTIO_MMIO_QUEUE_READY:
        return queue && queue->ready;
    case VIRTIO_MMIO_STATUS:
        /* A reset is complete when nothing uses the queues any more (2.4.1): until then Status is
         * not 0. */
        return mmio->reset_pending && virtio_mmio_delegates(mmio)
                   ? mmio->status | VIRTIO_CONFIG_S_NEEDS_RESET
                   : mmio->status;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return mmio->config_generation;
    default:
        return 0;
    }
}

static uint32_t read_register(struct virtio_mmio *mmio, uint32_t offset)
{
    uint32_t value;

    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        return MAGIC;
    case VIRTIO_MMIO_VERSION:
        return VERSION;
    case VIRTIO_MMIO_DEVICE_ID:
        return mmio->device->class->device_id;
    case VIRTIO_MMIO_VENDOR_ID:
        return VENDOR;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return interrupt_status(mmio);
    case VIRTIO_MMIO_SHM_LEN_LOW: /* no shared memory region: length and base are -1 (4.2.2) */
    case VIRTIO_MMIO_SHM_LEN_HIGH:
    case VIRTIO_MMIO_SHM_BASE_LOW:
    case VIRTIO_MMIO_SHM_BASE_HIGH:
        return UINT32_MAX;
    default:
        pthread_mutex_lock(&mmio->lock);
        value = read_locked(mmio, offset);
        pthread_mutex_unlock(&mmio->lock);
        return value;
    }
}

/* Whether an access lies in configuration space; otherwise only aligned words are registers. */
static bool is_config(uint64_t offset, uint32_t size)
{
    return offset >= VIRTIO_MMIO_CONFIG && offset < VIRTIO_MMIO_SIZE &&
           size <= VIRTIO_MMIO_SIZE - offset;
}

static bool is_register(uint64_t offset, uint32_t size)
{
    return offset < VIRTIO_MMIO_CONFIG && offset % 4 == 0 && size == 4;
}

void virtio_mmio_read(struct virtio_mmio *mmio, uint64_t offset, void *data, uint32_t size)
{
    struct virtio_device *device = mmio->device;

    virtio_mmio_count(&mmio->counts.register_reads);
    memset(data, 0, size);
    if (is_register(offset, size)) {
        store_le32(data, read_register(mmio, (uint32_t)offset));
    } else if (is_config(offset, size) && device->class->read_config) {
        pthread_mutex_lock(&mmio->lock);
        device->class->read_config(device, (uint32_t)(offset - VIRTIO_MMIO_CONFIG), data, size);
        pthread_mutex_unlock(&mmio->lock);
    }
}

/* ---- writing ---- */

static void reset(struct virtio_mmio *mmio)
{
    struct virtio_device *device = mmio->device;

    virtio_mmio_clear_queues(mmio);
    device->negotiated = 0;
    mmio->status = 0;
    mmio->device_features_select = 0;
    mmio->driver_features_select = 0;
    mmio->driver_features = 0;
    mmio->queue_select = 0;
    __atomic_store_n(&mmio->interrupt_status, 0, __ATOMIC_SEQ_CST);
    mmio->reset_pending = true;
    mmio->activate_pending = false;
}

static bool features_acceptable(const struct virtio_mmio *mmio)
{
    return (mmio->driver_features & ~mmio->device->features) == 0 &&
           (mmio->driver_features & (1ULL << VIRTIO_F_VERSION_1));
}

/* Whether the driver may set the bits in `added` (3.1.1), one or several at a time. */
static uint32_t allowed_steps(const struct virtio_mmio *mmio, uint32_t added)
{
    static const uint32_t order[] = {VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER,
                                     VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER_OK};
    uint32_t allowed = added & VIRTIO_CONFIG_S_FAILED;

    for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
        if (added & order[i]) {
            if (order[i] == VIRTIO_CONFIG_S_FEATURES_OK && !features_acceptable(mmio))
                break;
            allowed |= order[i];
        } else if (!(mmio->status & order[i])) {
            break;
        }
    }
    return allowed;
}

/* Traces what the driver wrote, with the names of virtio 1.2, 2.1. */
static void trace_status(const struct virtio_device *device, uint32_t value)
{
    if (value == 0)
        virtio_device_trace(device, TRACE_NO_QUEUE, "Status: 0, a reset");
    else
        virtio_device_trace(device, TRACE_NO_QUEUE, "Status: 0x%02x%s%s%s%s%s", value,
                            value & VIRTIO_CONFIG_S_ACKNOWLEDGE ? " ACKNOWLEDGE" : "",
                            value & VIRTIO_CONFIG_S_DRIVER ? " DRIVER" : "",
                            value & VIRTIO_CONFIG_S_FEATURES_OK ? " FEATURES_OK" : "",
                            value & VIRTIO_CONFIG_S_DRIVER_OK ? " DRIVER_OK" : "",
                            value & VIRTIO_CONFIG_S_FAILED ? " FAILED" : "");
}

/* Returns whether the I/O loop has to notify the device. */
static bool write_status(struct virtio_mmio *mmio, uint32_t value)
{
    struct virtio_device *device = mmio->device;
    uint32_t added;

    trace_status(device, value);
    if (value == 0) {
        reset(mmio);
        return true;
    }
    added = allowed_steps(mmio, value & STATUS_OF_DRIVER & ~mmio->status);
    mmio->status |= added;
    if (added & VIRTIO_CONFIG_S_FEATURES_OK) {
        device->negotiated = mmio->driver_features;
        virtio_device_trace(device, TRACE_NO_QUEUE, "features: 0x%" PRIx64 " of 0x%" PRIx64,
                            device->negotiated, device->features);
        for (unsigned i = 0; i < device->class->queue_count; i++) {
            device->queues[i].indirect = device->negotiated & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
            device->queues[i].event_index = device->negotiated & (1ULL << VIRTIO_RING_F_EVENT_IDX);
        }
    }
    if (added & VIRTIO_CONFIG_S_DRIVER_OK)
        mmio->activate_pending = true;
    return added & VIRTIO_CONFIG_S_DRIVER_OK;
}

static void write_driver_features(struct virtio_mmio *mmio, uint32_t value)
{
    unsigned shift = 32 * mmio->driver_features_select;

    if (mmio->driver_features_select > 1 || (mmio->status & VIRTIO_CONFIG_S_FEATURES_OK))
        return;
    mmio->driver_features &= ~(0xffffffffULL << shift);
    mmio->driver_features |= (uint64_t)value << shift;
}

static void write_queue_ready(struct virtio_mmio *mmio, struct virtqueue *queue, uint32_t value)
{
    if (!(value & 1)) {
        /* A queue of another process stays ready until the reset, as the driver reads back. */
        if (!virtio_mmio_delegated(mmio, mmio->queue_select))
            virtqueue_stop(queue);
        return;
    }
    if (queue->ready)
        return;
    if (virtqueue_start(queue, mmio->memory) < 0) {
        virtio_device_fail(mmio->device, "a queue with a bad size or address");
        return;
    }
    queue->next_available = queue->next_used = queue->signalled_used = 0;
    queue->progress = 0;
    virtio_device_trace(mmio->device, mmio->queue_select,
                        "QueueReady: size %u, descriptor table 0x%" PRIx64
                        ", available ring 0x%" PRIx64 ", used ring 0x%" PRIx64,
                        queue->size, queue->descriptors, queue->available, queue->used);
}

static void set_low(uint64_t *number, uint32_t value)
{
    *number = (*number & ~0xffffffffULL) | value;
}

static void set_high(uint64_t *number, uint32_t value)
{
    *number = (*number & 0xffffffffULL) | (uint64_t)value << 32;
}

/* Registers of the selected queue: writable after feature negotiation; its layout only while not
 * ready. */
static void write_queue(struct virtio_mmio *mmio, uint32_t offset, uint32_t value)
{
    struct virtqueue *queue = selected_queue(mmio);

    if (!queue || !(mmio->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
        (mmio->status & VIRTIO_CONFIG_S_NEEDS_RESET))
        return;
    if (offset == VIRTIO_MMIO_QUEUE_READY) {
        write_queue_ready(mmio, queue, value);
        return;
    }
    if (queue->ready)
        return;
    switch (offset) {
    case VIRTIO_MMIO_QUEUE_NUM:
        queue->size = value <= queue->size_max ? (uint16_t)value : 0; /* 0 is never valid */
        break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
        set_low(&queue->descriptors, value);
        break;
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
        set_high(&queue->descriptors, value);
        break;
    case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
        set_low(&queue->available, value);
        break;
    case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
        set_high(&queue->available, value);
        break;
    case VIRTIO_MMIO_QUEUE_USED_LOW:
        set_low(&queue->used, value);
        break;
    case VIRTIO_MMIO_QUEUE_USED_HIGH:
        set_high(&queue->used, value);
        break;
    default:
        break;
    }
}

/* Returns whether the I/O loop has to notify the device of a change of its status. */
static bool write_locked(struct virtio_mmio *mmio, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        mmio->device_features_select = value;
        return false;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        mmio->driver_features_select = value;
        return false;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        write_driver_features(mmio, value);
        return false;
    case VIRTIO_MMIO_QUEUE_SEL:
        mmio->queue_select = value;
        return false;
    case VIRTIO_MMIO_STATUS:
        return write_status(mmio, value);
    default:
        write_queue(mmio, offset, value);
        return false;
    }
}

/* Makes the I/O loop call virtio_mmio_notify(index). */
static void defer(struct virtio_mmio *mmio, uint32_t index)
{
    if (mmio->kick)
        mmio->kick(mmio->kick_opaque, index);
    else
        virtio_mmio_notify(mmio, index);
}

static void write_register(struct virtio_mmio *mmio, uint32_t offset, uint32_t value)
{
    bool settle;

    switch (offset) {
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        if (value < mmio->device->class->queue_count)
            defer(mmio, value);
        return;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        __atomic_fetch_and(&mmio->interrupt_status, ~value, __ATOMIC_SEQ_CST);
        return;
    default:
        pthread_mutex_lock(&mmio->lock);
        settle = write_locked(mmio, offset, value);
        pthread_mutex_unlock(&mmio->lock);
        if (settle)
            defer(mmio, VIRTIO_MMIO_STATUS_KICK);
    }
}

void virtio_mmio_write(struct virtio_mmio *mmio, uint64_t offset, const void *data, uint32_t size)
{
    struct virtio_device *device = mmio->device;

    virtio_mmio_count(&mmio->counts.register_writes);
    if (is_register(offset, size)) {
        write_register(mmio, (uint32_t)offset, load_le32(data));
    } else if (is_config(offset, size) && device->class->write_config) {
        pthread_mutex_lock(&mmio->lock);
        device->class->write_config(device, (uint32_t)(offset - VIRTIO_MMIO_CONFIG), data, size);
        pthread_mutex_unlock(&mmio->lock);
    }
}
