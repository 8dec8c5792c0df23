/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: a state machine between packets and a UNIX stream socket.
 *
 * Each direction is closed separately: the guest's SHUTDOWN becomes shutdown(2), after the last
 * byte of the ring; end of file from the host process becomes SHUTDOWN, after its last byte. A
 * guest that has shut down both directions gets an RST once the host has all its bytes (virtio 1.2,
 * 5.10.6.6).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vsock/vsock_private.h"
#include "vmm/base/log.h"

static bool is_open(const struct vsock_connection *connection)
{
    return connection->state == VSOCK_OPEN;
}

static void set_pending(struct vsock_connection *connection, uint32_t what)
{
    connection->pending |= what;
    vsock_enqueue(connection);
}

static void set_pending_shutdown(struct vsock_connection *connection, uint32_t flags)
{
    connection->shutdown_flags |= flags;
    if (is_open(connection))
        set_pending(connection, VSOCK_PENDING_SHUTDOWN);
}

/* ---- the socket ---- */

static bool may_read(const struct vsock_connection *connection)
{
    return is_open(connection) && !connection->host_shut_send && !connection->guest_shut_receive;
}

void vsock_connection_update_watch(struct vsock_connection *connection)
{
    const struct device_host *host = &connection->vsock->device.host;
    uint32_t events = 0;
    int rc;

    if (connection->fd < 0)
        return;
    if (connection->state == VSOCK_GREETING || (may_read(connection) && !connection->readable))
        events |= EPOLLIN;
    if (connection->ring.used > 0)
        events |= EPOLLOUT;
    if (connection->state != VSOCK_GREETING && !connection->host_shut_receive)
        events |= EPOLLHUP;
    if (events == connection->watched)
        return;
    rc = host->watch_fd(host->opaque, connection->fd, events, vsock_connection_handle_fd,
                        connection);
    connection->watched = rc < 0 ? 0 : events;
    if (rc < 0) {
        log_limited(&connection->vsock->warnings, "vsock: cannot watch a socket: %s",
                    strerror(-rc));
        vsock_connection_abort(connection);
    }
}

static void close_socket(struct vsock_connection *connection)
{
    const struct device_host *host = &connection->vsock->device.host;

    byte_ring_release(&connection->ring);
    if (connection->fd < 0)
        return;
    if (connection->watched)
        host->watch_fd(host->opaque, connection->fd, 0, NULL, NULL);
    connection->watched = 0;
    close(connection->fd);
    connection->fd = -1;
}

/* Unread bytes from the host process would turn its end of file into an error. */
static void discard_unread(const struct vsock_connection *connection)
{
    char scratch[4096];
    unsigned turns = 1024; /* more than a socket's buffer holds */

    shutdown(connection->fd, SHUT_RD);
    while (turns-- > 0 && recv(connection->fd, scratch, sizeof(scratch), MSG_DONTWAIT) > 0)
        ;
}

void vsock_connection_release(struct vsock_connection *connection)
{
    close_socket(connection);
    connection->state = VSOCK_FREE;
    connection->pending = 0;
}

void vsock_connection_abort(struct vsock_connection *connection)
{
    if (connection->state != VSOCK_OPEN && connection->state != VSOCK_REQUESTED) {
        vsock_connection_release(connection);
        return;
    }
    close_socket(connection);
    connection->state = VSOCK_CLOSING;
    connection->pending = 0;
    set_pending(connection, VSOCK_PENDING_RST);
}

/* ---- guest to host ---- */

static void forward(struct vsock_connection *connection, uint32_t size)
{
    connection->forwarded += size;
    if (is_open(connection) && connection->forwarded - connection->advertised >= BYTE_RING_SIZE / 2)
        set_pending(connection, VSOCK_PENDING_CREDIT_UPDATE);
}

/* The host process reads no more bytes. */
static void host_gone(struct vsock_connection *connection)
{
    if (connection->host_shut_receive)
        return;
    connection->host_shut_receive = true;
    byte_ring_release(&connection->ring);
    forward(connection, connection->received - connection->forwarded);
    set_pending_shutdown(connection, VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* Returns the number of bytes sent, 0 if the socket is full; -1 if it has no reader. */
static ssize_t send_segments(const struct vsock_connection *connection, struct iovec *segments,
                             unsigned count)
{
    ssize_t total = 0;

    /* One by one, since sendmsg(2) could also send descriptors, which no filter can see. */
    for (unsigned i = 0; i < count; i++) {
        ssize_t sent = send(connection->fd, segments[i].iov_base, segments[i].iov_len,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
            return total > 0 ? total : -1;
        if (sent > 0)
            total += sent;
        if (sent < (ssize_t)segments[i].iov_len)
            break;
    }
    return total;
}

/* The ring is empty: forwards the shutdowns that had to wait for its bytes. */
static void finish_sending(struct vsock_connection *connection)
{
    if (connection->state == VSOCK_DRAINING) {
        vsock_connection_release(connection);
    } else if (connection->guest_shut_send && connection->guest_shut_receive) {
        discard_unread(connection);
        vsock_connection_abort(connection); /* RST is also the reply to an orderly end */
    } else if (connection->guest_shut_send) {
        shutdown(connection->fd, SHUT_WR);
    }
}

static void flush_ring(struct vsock_connection *connection)
{
    while (connection->ring.used > 0) {
        struct iovec segments[2];
        unsigned count = byte_ring_segments(&connection->ring, segments);
        ssize_t sent = send_segments(connection, segments, count);

        if (sent == 0)
            return;
        if (sent < 0) {
            host_gone(connection);
            break;
        }
        byte_ring_consume(&connection->ring, (uint32_t)sent);
        forward(connection, (uint32_t)sent);
    }
    finish_sending(connection);
}

static void receive_data(struct vsock_connection *connection, uint32_t size,
                         const struct virtqueue_chain *chain)
{
    struct iovec segments[VIRTQUEUE_SEGMENTS_MAX];
    unsigned count;
    ssize_t sent = 0;

    /* More than its credit, or bytes after its end: the guest violates the protocol. */
    if (!is_open(connection) || connection->guest_shut_send ||
        size > BYTE_RING_SIZE - (connection->received - connection->forwarded)) {
        vsock_connection_abort(connection);
        return;
    }
    connection->received += size;
    count = virtqueue_slice(virtqueue_chain_readable(chain), chain->readable_count,
                            VSOCK_HEADER_SIZE, size, segments);
    if (count > 0 && connection->ring.used == 0 && !connection->host_shut_receive)
        sent = send_segments(connection, segments, count);
    if (sent < 0)
        host_gone(connection);
    if (connection->host_shut_receive) {
        forward(connection, connection->received - connection->forwarded);
        return;
    }
    forward(connection, (uint32_t)sent);
    size -= (uint32_t)sent;
    if (size == 0)
        return;
    count = virtqueue_slice(virtqueue_chain_readable(chain), chain->readable_count,
                            VSOCK_HEADER_SIZE + (uint64_t)sent, size, segments);
    if (byte_ring_append(&connection->ring, segments, count) < 0)
        vsock_connection_abort(connection);
}

/* ---- packets of the guest ---- */

static void receive_response(struct vsock_connection *connection)
{
    static const char ok[] = "OK\n";

    if (connection->state != VSOCK_REQUESTED) {
        vsock_connection_abort(connection);
        return;
    }
    connection->state = VSOCK_OPEN;
    if (send(connection->fd, ok, strlen(ok), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        host_gone(connection);
}

static void receive_shutdown(struct vsock_connection *connection, uint32_t flags)
{
    if (!is_open(connection)) {
        vsock_connection_abort(connection);
        return;
    }
    if ((flags & VIRTIO_VSOCK_SHUTDOWN_RCV) && !connection->guest_shut_receive) {
        connection->guest_shut_receive = true;
        connection->readable = false;
        shutdown(connection->fd, SHUT_RD);
    }
    if (flags & VIRTIO_VSOCK_SHUTDOWN_SEND)
        connection->guest_shut_send = true;
    if (connection->ring.used == 0)
        finish_sending(connection);
}

static void receive_reset(struct vsock_connection *connection)
{
    /* A guest that does not wait for our RST has still ended in order. */
    if (is_open(connection) && connection->guest_shut_send && connection->ring.used > 0) {
        connection->state = VSOCK_DRAINING;
        connection->pending = 0;
    } else {
        vsock_connection_release(connection);
    }
}

void vsock_connection_receive(struct vsock_connection *connection,
                              const struct vsock_packet *packet,
                              const struct virtqueue_chain *chain)
{
    if (connection->state == VSOCK_CLOSING && packet->op != VIRTIO_VSOCK_OP_RST)
        return; /* it crosses our RST */
    connection->peer_buf_alloc = packet->buf_alloc;
    connection->peer_forwarded = packet->fwd_cnt;
    connection->credit_requested = false;
    switch (packet->op) {
    case VIRTIO_VSOCK_OP_RESPONSE:
        receive_response(connection);
        break;
    case VIRTIO_VSOCK_OP_RW:
        receive_data(connection, packet->len, chain);
        break;
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        receive_shutdown(connection, packet->flags);
        break;
    case VIRTIO_VSOCK_OP_RST:
        receive_reset(connection);
        break;
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        break;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        set_pending(connection, VSOCK_PENDING_CREDIT_UPDATE);
        break;
    default: /* including a second REQUEST */
        vsock_connection_abort(connection);
        break;
    }
    if (vsock_connection_has_work(connection))
        vsock_enqueue(connection);
    vsock_connection_update_watch(connection);
}

/* ---- host to guest ---- */

static uint32_t credit(const struct vsock_connection *connection)
{
    uint32_t in_flight = connection->sent - connection->peer_forwarded;

    return in_flight < connection->peer_buf_alloc ? connection->peer_buf_alloc - in_flight : 0;
}

bool vsock_connection_has_work(const struct vsock_connection *connection)
{
    return connection->pending ||
           (connection->readable && may_read(connection) && credit(connection) > 0);
}

/* Reads from the socket to after the header. Returns the bytes for the guest, 0 if there are
 * none. */
static uint32_t read_data(struct vsock_connection *connection, const struct virtqueue_chain *chain)
{
    struct iovec segments[VIRTQUEUE_SEGMENTS_MAX];
    uint64_t room = chain->writable_size - VSOCK_HEADER_SIZE;
    unsigned count;
    ssize_t got;

    if (room > credit(connection))
        room = credit(connection);
    count = virtqueue_slice(virtqueue_chain_writable(chain), chain->writable_count,
                            VSOCK_HEADER_SIZE, room, segments);
    got = readv(connection->fd, segments, (int)count);
    if (got > 0) {
        connection->readable = (uint64_t)got == room; /* less: the socket is empty now */
        connection->sent += (uint32_t)got;
        return (uint32_t)got;
    }
    connection->readable = false;
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection->host_shut_send = true;
        set_pending_shutdown(connection, VIRTIO_VSOCK_SHUTDOWN_SEND);
    }
    return 0;
}

/* Takes the first pending operation; VIRTIO_VSOCK_OP_RW stands for data. */
static uint16_t next_op(struct vsock_connection *connection)
{
    static const uint16_t ops[] = {
        VIRTIO_VSOCK_OP_RST,      VIRTIO_VSOCK_OP_REQUEST,        VIRTIO_VSOCK_OP_RESPONSE,
        VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_OP_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_UPDATE,
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(ops); i++) {
        if (connection->pending & (1U << i)) {
            connection->pending &= ~(1U << i);
            return ops[i];
        }
    }
    return VIRTIO_VSOCK_OP_RW;
}

int vsock_connection_send(struct vsock_connection *connection, const struct virtqueue_chain *chain)
{
    struct vsock_packet packet = {
        .src_cid = VSOCK_HOST_CID,
        .dst_cid = connection->vsock->guest_cid,
        .src_port = connection->host_port,
        .dst_port = connection->guest_port,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .buf_alloc = BYTE_RING_SIZE,
        .fwd_cnt = connection->forwarded,
    };
    struct virtio_vsock_hdr header;

    if (chain->writable_size <= VSOCK_HEADER_SIZE)
        return -EINVAL;
    if (!connection->pending) {
        packet.len = read_data(connection, chain);
        if (packet.len == 0 && !connection->pending)
            return 0;
    }
    packet.op = packet.len > 0 ? VIRTIO_VSOCK_OP_RW : next_op(connection);
    if (packet.op == VIRTIO_VSOCK_OP_SHUTDOWN)
        packet.flags = connection->shutdown_flags;
    vsock_trace(connection->vsock, VSOCK_RX_QUEUE, &packet);
    header = vsock_packet_encode(&packet);
    virtqueue_chain_write(chain, 0, &header, sizeof(header));
    connection->advertised = connection->forwarded;
    connection->pending &= ~(uint32_t)VSOCK_PENDING_CREDIT_UPDATE;
    if (connection->readable && credit(connection) == 0 && !connection->credit_requested) {
        connection->credit_requested = true;
        connection->pending |= VSOCK_PENDING_CREDIT_REQUEST;
    }
    if (packet.op == VIRTIO_VSOCK_OP_RST)
        vsock_connection_release(connection);
    return (int)(VSOCK_HEADER_SIZE + packet.len);
}

/* ---- events of the socket ---- */

static void handle_events(struct vsock_connection *connection, uint32_t events)
{
    bool hung_up = events & (EPOLLHUP | EPOLLERR);

    switch (connection->state) {
    case VSOCK_GREETING:
        vsock_listener_read_greeting(connection);
        break;
    case VSOCK_REQUESTED:
        if (hung_up)
            vsock_connection_abort(connection);
        break;
    case VSOCK_OPEN:
    case VSOCK_DRAINING:
        if (events & EPOLLIN)
            connection->readable = may_read(connection);
        if (hung_up)
            host_gone(connection);
        if (hung_up || connection->ring.used > 0)
            flush_ring(connection);
        break;
    default: /* an event from before its end */
        break;
    }
}

void vsock_connection_handle_fd(void *opaque, uint32_t events)
{
    struct vsock_connection *connection = opaque;
    struct virtio_device *device = &connection->vsock->device;

    virtio_device_lock(device);
    handle_events(connection, events);
    if (vsock_connection_has_work(connection))
        vsock_enqueue(connection);
    vsock_run(connection->vsock);
    vsock_connection_update_watch(connection);
    virtio_device_unlock(device);
}
