/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio socket device (virtio 1.2, 5.10): packets in queues to connections and back. See
 * vsock_private.h for the parts and for how bytes flow.
 */
#include "devices/vsock/vsock.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/vsock/vsock_private.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

#define QUEUE_SIZE 256

/* Connections are not saved: the guest is notified that they are gone. */
struct vsock_saved {
    uint64_t guest_cid;
    uint32_t next_host_port;
    uint32_t reserved;
};

static struct vsock *vsock_of(struct virtio_device *device)
{
    return (struct vsock *)device;
}

/* ---- slots, and the queue of those that have something for the guest ---- */

struct vsock_connection *vsock_allocate(struct vsock *vsock, enum vsock_state state, int fd)
{
    for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
        struct vsock_connection *slot = &vsock->connections[vsock->next_slot];

        vsock->next_slot = (vsock->next_slot + 1) % VSOCK_CONNECTIONS_MAX;
        if (slot->state == VSOCK_FREE && !slot->queued) {
            *slot = (struct vsock_connection){.vsock = vsock, .state = state, .fd = fd};
            return slot;
        }
    }
    return NULL;
}

void vsock_enqueue(struct vsock_connection *connection)
{
    struct vsock *vsock = connection->vsock;

    if (connection->queued)
        return;
    connection->queued = true;
    connection->next = NULL;
    if (vsock->last)
        vsock->last->next = connection;
    else
        vsock->first = connection;
    vsock->last = connection;
}

static struct vsock_connection *dequeue(struct vsock *vsock)
{
    struct vsock_connection *connection = vsock->first;

    vsock->first = connection->next;
    if (!vsock->first)
        vsock->last = NULL;
    connection->queued = false;
    return connection;
}

/* Whether there is something for the guest. */
static bool has_work(struct vsock *vsock)
{
    while (vsock->first && !vsock_connection_has_work(vsock->first))
        vsock_connection_update_watch(dequeue(vsock));
    return vsock->resets_count > 0 || vsock->first;
}

/* ---- host to guest ---- */

static int send_reset(struct vsock *vsock, const struct virtqueue_chain *chain)
{
    const struct vsock_reset *reset = &vsock->resets[vsock->resets_begin];
    struct vsock_packet packet = {
        .src_cid = VSOCK_HOST_CID,
        .dst_cid = vsock->guest_cid,
        .src_port = reset->host_port,
        .dst_port = reset->guest_port,
        .type = reset->type,
        .op = VIRTIO_VSOCK_OP_RST,
    };
    struct virtio_vsock_hdr header = vsock_packet_encode(&packet);

    vsock_trace(vsock, VSOCK_RX_QUEUE, &packet);
    if (virtqueue_chain_write(chain, 0, &header, sizeof(header)) != sizeof(header))
        return -EINVAL;
    vsock->resets_begin = (vsock->resets_begin + 1) % VSOCK_RESETS_MAX;
    vsock->resets_count--;
    return sizeof(header);
}

static int send_next(struct vsock *vsock, const struct virtqueue_chain *chain)
{
    struct vsock_connection *connection = dequeue(vsock);
    int size = vsock_connection_send(connection, chain);

    if (vsock_connection_has_work(connection))
        vsock_enqueue(connection);
    else
        vsock_connection_update_watch(connection);
    return size;
}

/* Fills receive buffers with packets, while there are both. */
static void deliver(struct vsock *vsock)
{
    struct virtio_device *device = &vsock->device;
    struct virtqueue *queue = &device->queues[VSOCK_RX_QUEUE];
    struct virtqueue_chain chain;
    int rc = 0;

    while (has_work(vsock) && (rc = virtio_device_pop(device, VSOCK_RX_QUEUE, &chain)) > 0) {
        int size = vsock->resets_count > 0 ? send_reset(vsock, &chain) : send_next(vsock, &chain);

        if (size > 0)
            rc = virtqueue_push_used(queue, chain.head, (uint32_t)size);
        else if (size == 0)
            virtqueue_undo_pop(queue, 0);
        else
            rc = size;
        if (rc < 0)
            break;
        virtio_device_spend(device, (uint64_t)size);
    }
    /* A connection that still waits for its turn is not watched. */
    for (struct vsock_connection *at = vsock->first; at; at = at->next)
        vsock_connection_update_watch(at);
    virtio_device_end_turn(device, VSOCK_RX_QUEUE, rc, "a bad receive buffer");
}

/* ---- guest to host ---- */

static struct vsock_connection *find(struct vsock *vsock, const struct vsock_packet *packet)
{
    for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
        struct vsock_connection *at = &vsock->connections[i];

        if (at->guest_port == packet->src_port && at->host_port == packet->dst_port &&
            (at->state == VSOCK_OPEN || at->state == VSOCK_REQUESTED || at->state == VSOCK_CLOSING))
            return at;
    }
    return NULL;
}

/* The caller has checked that there is room. */
static void reply_reset(struct vsock *vsock, const struct vsock_packet *packet)
{
    unsigned end = (vsock->resets_begin + vsock->resets_count) % VSOCK_RESETS_MAX;

    if (packet->op == VIRTIO_VSOCK_OP_RST)
        return;
    vsock->resets[end] = (struct vsock_reset){packet->src_port, packet->dst_port, packet->type};
    vsock->resets_count++;
}

static void accept_request(struct vsock *vsock, const struct vsock_packet *packet)
{
    AUTO_CLOSE int fd = vsock->backend.connect(vsock->backend.opaque, packet->dst_port);
    struct vsock_connection *connection = fd < 0 ? NULL : vsock_allocate(vsock, VSOCK_OPEN, fd);

    if (!connection) {
        reply_reset(vsock, packet);
        return;
    }
    steal_fd(&fd);
    connection->guest_port = packet->src_port;
    connection->host_port = packet->dst_port;
    connection->peer_buf_alloc = packet->buf_alloc;
    connection->peer_forwarded = packet->fwd_cnt;
    connection->pending = VSOCK_PENDING_RESPONSE;
    vsock_enqueue(connection);
    vsock_connection_update_watch(connection);
}

/* Returns the bytes of data, or -EINVAL for a chain without room for a header. */
static int64_t receive(struct vsock *vsock, const struct virtqueue_chain *chain)
{
    struct virtio_vsock_hdr header;
    struct vsock_packet packet;
    struct vsock_connection *connection;

    if (virtqueue_chain_read(chain, 0, &header, sizeof(header)) != sizeof(header))
        return -EINVAL;
    packet = vsock_packet_decode(&header);
    vsock_trace(vsock, VSOCK_TX_QUEUE, &packet);
    if (packet.src_cid != vsock->guest_cid || packet.dst_cid != VSOCK_HOST_CID)
        return 0; /* not from us to us: dropped (5.10.6.4) */
    connection = packet.type == VIRTIO_VSOCK_TYPE_STREAM ? find(vsock, &packet) : NULL;
    if (connection && packet.len > chain->readable_size - sizeof(header))
        vsock_connection_abort(connection);
    else if (connection)
        vsock_connection_receive(connection, &packet, chain);
    else if (packet.type == VIRTIO_VSOCK_TYPE_STREAM && packet.op == VIRTIO_VSOCK_OP_REQUEST)
        accept_request(vsock, &packet);
    else
        reply_reset(vsock, &packet);
    return packet.len <= BYTE_RING_SIZE ? packet.len : 0; /* more than the credit is refused */
}

/* Takes packets of the guest, while there is room for the replies that they may need. */
static void transmit(struct vsock *vsock)
{
    struct virtio_device *device = &vsock->device;
    struct virtqueue *queue = &device->queues[VSOCK_TX_QUEUE];
    struct virtqueue_chain chain;
    int rc = 0;

    vsock->transmit_waiting = false;
    while ((rc = virtio_device_pop(device, VSOCK_TX_QUEUE, &chain)) > 0) {
        int64_t size;

        if (vsock->resets_count == VSOCK_RESETS_MAX) {
            virtqueue_undo_pop(queue, 0);
            vsock->transmit_waiting = true;
            break;
        }
        size = receive(vsock, &chain);
        rc = size < 0 ? -EINVAL : virtqueue_push_used(queue, chain.head, 0);
        if (rc < 0)
            break;
        virtio_device_spend(device, (uint64_t)size);
    }
    virtio_device_end_turn(device, VSOCK_TX_QUEUE, rc, "a bad packet");
}

void vsock_run(struct vsock *vsock)
{
    deliver(vsock);
    if (vsock->transmit_waiting && vsock->resets_count < VSOCK_RESETS_MAX)
        virtio_device_reschedule(&vsock->device, VSOCK_TX_QUEUE);
}

/* ---- the device ---- */

static void send_event(struct vsock *vsock)
{
    struct virtio_device *device = &vsock->device;
    struct virtqueue *queue = &device->queues[VSOCK_EVENT_QUEUE];
    struct virtio_vsock_event event = {.id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)};
    struct virtqueue_chain chain;
    int rc;

    if (!vsock->transport_reset_pending)
        return; /* buffers wait until there is an event */
    rc = virtqueue_pop(queue, device->memory, &chain);
    if (rc == 0)
        return;
    if (rc > 0 && virtqueue_chain_write(&chain, 0, &event, sizeof(event)) != sizeof(event))
        rc = -EINVAL;
    if (rc < 0) {
        virtio_device_fail(device, "a bad event buffer");
        return;
    }
    virtqueue_push_used(queue, chain.head, sizeof(event));
    vsock->transport_reset_pending = false;
    virtio_device_notify(device, VSOCK_EVENT_QUEUE);
}

static void handle_queue(struct virtio_device *device, unsigned index)
{
    struct vsock *vsock = vsock_of(device);

    if (index == VSOCK_EVENT_QUEUE)
        send_event(vsock);
    if (index == VSOCK_TX_QUEUE)
        transmit(vsock);
    vsock_run(vsock);
}

static void read_config(struct virtio_device *device, uint32_t offset, void *data, uint32_t size)
{
    struct virtio_vsock_config config = {.guest_cid = htole64(vsock_of(device)->guest_cid)};

    virtio_device_copy_config(&config, sizeof(config), offset, data, size);
}

static void activate(struct virtio_device *device)
{
    vsock_listener_watch(vsock_of(device), true);
}

static void reset(struct virtio_device *device)
{
    struct vsock *vsock = vsock_of(device);

    for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
        struct vsock_connection *connection = &vsock->connections[i];

        if (connection->state != VSOCK_FREE)
            vsock_connection_release(connection);
        connection->queued = false;
    }
    vsock->first = vsock->last = NULL;
    vsock->resets_begin = vsock->resets_count = 0;
    vsock->transmit_waiting = false;
    vsock->transport_reset_pending = false;
    vsock_listener_watch(vsock, false);
}

static void save(const struct virtio_device *device, void *state)
{
    const struct vsock *vsock = (const struct vsock *)device;
    struct vsock_saved saved = {vsock->guest_cid, vsock->next_host_port, 0};

    memcpy(state, &saved, sizeof(saved));
}

static int load(struct virtio_device *device, const void *state)
{
    struct vsock *vsock = vsock_of(device);
    struct vsock_saved saved;

    memcpy(&saved, state, sizeof(saved));
    if (saved.guest_cid != vsock->guest_cid)
        return -EINVAL;
    vsock->next_host_port = saved.next_host_port;
    vsock->transport_reset_pending = true;
    return 0;
}

static void destroy(struct virtio_device *device)
{
    struct vsock *vsock = vsock_of(device);

    reset(device);
    if (vsock->listener_fd >= 0)
        close(vsock->listener_fd);
    free(vsock);
}

static const struct syscall_rule calls[] = {
    {__NR_readv, SYSCALL_ALWAYS, 0, 0},
    /* Connected sockets only, and messages without descriptors. */
    {__NR_sendto, SYSCALL_ARGUMENTS_ZERO, 0, SYSCALL_NO_ADDRESS},
    {__NR_recvfrom, SYSCALL_ARGUMENTS_ZERO, 0, SYSCALL_NO_ADDRESS},
    {__NR_shutdown, SYSCALL_ALWAYS, 0, 0},
    {__NR_accept4, SYSCALL_ALWAYS, 0, 0},
};

static const struct syscall_rule register_calls[] = {
    {__NR_close, SYSCALL_ALWAYS, 0, 0}, /* a reset ends all connections */
};

const struct virtio_device_class vsock_class = {
    .name = "vsock",
    .device_id = VIRTIO_ID_VSOCK,
    .queue_count = VSOCK_QUEUE_COUNT,
    .queue_names =
        {[VSOCK_RX_QUEUE] = "rx", [VSOCK_TX_QUEUE] = "tx", [VSOCK_EVENT_QUEUE] = "event"},
    .queue_size_max = QUEUE_SIZE,
    .state_size = sizeof(struct vsock_saved),
    .calls = {calls, ARRAY_LENGTH(calls)},
    .register_calls = {register_calls, ARRAY_LENGTH(register_calls)},
    .handle_queue = handle_queue,
    .read_config = read_config,
    .activate = activate,
    .reset = reset,
    .save = save,
    .load = load,
    .destroy = destroy,
};

int vsock_create(const struct vsock_backend *backend, struct virtio_device **device,
                 struct error *err)
{
    AUTO_FREE struct vsock *vsock = calloc(1, sizeof(*vsock));

    if (!vsock)
        return error_set_errno(err, ENOMEM, "vsock");
    vsock->device.class = &vsock_class;
    vsock->guest_cid = backend->guest_cid;
    vsock->listener_fd = backend->listener_fd;
    vsock->backend = *backend;
    *device = &steal_pointer(vsock)->device;
    return 0;
}
