/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of a virtio socket device for tests; see fake_vsock.h. */
#include "tests/unit/devices/fake_vsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/vsock/vsock.h"

enum { RX_QUEUE, TX_QUEUE };

#define QUEUE_SIZE     128
#define RX_BUFFER_SIZE (VSOCK_HEADER_SIZE + FAKE_RX_PAYLOAD)
#define TX_SLOT_SIZE   (FAKE_PAYLOAD_MAX + 64)
#define RUN_ROUNDS     1000

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- life ---- */

void fake_vsock_restart(struct fake_vsock *vsock, uint64_t features)
{
    vsock->machine.next_free = 4096;
    fake_start(&vsock->machine, features, QUEUE_SIZE);
    vsock->rx_buffers = fake_allocate(&vsock->machine, FAKE_RX_BUFFERS * RX_BUFFER_SIZE);
    vsock->rx_free = FAKE_RX_BUFFERS;
    for (unsigned i = 0; i < FAKE_RX_BUFFERS; i++)
        vsock->rx_returned[i] = vsock->rx_buffers + i * RX_BUFFER_SIZE;
    vsock->stream_count = 0;
}

static struct sockaddr_un address_in(const char *directory, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    require(snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name) <
            (int)sizeof(address.sun_path));
    return address;
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int listen_in(const char *directory, const char *name)
{
    struct sockaddr_un address = address_in(directory, name);
    int fd = new_socket();

    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    require(listen(fd, 300) == 0);
    return fd;
}

static int connect_port(void *opaque, uint32_t port)
{
    struct sockaddr_un address;
    char name[32];
    int fd = new_socket();

    snprintf(name, sizeof(name), "vsock_%u", port);
    address = address_in(opaque, name);
    require(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -ECONNREFUSED;
}

struct vsock_backend fake_vsock_backend(char *directory, uint64_t guest_cid)
{
    return (struct vsock_backend){
        .guest_cid = guest_cid,
        .listener_fd = listen_in(directory, "vsock"),
        .opaque = directory,
        .connect = connect_port,
    };
}

void fake_vsock_forget(const char *directory)
{
    unlink(address_in(directory, "vsock").sun_path);
}

void fake_vsock_create(struct fake_vsock *vsock, uint64_t features)
{
    struct vsock_backend backend;
    struct virtio_device *device = NULL;

    memset(vsock, 0, sizeof(*vsock));
    snprintf(vsock->directory, sizeof(vsock->directory), "/tmp/microvm-test-XXXXXX");
    require(mkdtemp(vsock->directory));
    backend = fake_vsock_backend(vsock->directory, FAKE_GUEST_CID);
    require(vsock_create(&backend, &device, NULL) == 0);
    fake_machine_create(&vsock->machine, device);
    fake_vsock_restart(vsock, features);
}

void fake_vsock_destroy(struct fake_vsock *vsock)
{
    fake_machine_destroy(&vsock->machine);
    fake_vsock_forget(vsock->directory);
    require(rmdir(vsock->directory) == 0);
}

int fake_vsock_listen(const struct fake_vsock *vsock, const char *name)
{
    return listen_in(vsock->directory, name);
}

int fake_vsock_dial(const struct fake_vsock *vsock, const char *name)
{
    struct sockaddr_un address = address_in(vsock->directory, name);
    int fd = new_socket();

    require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

/* ---- packets ---- */

void fake_vsock_offer(struct fake_vsock *vsock, unsigned count)
{
    while (count-- > 0 && vsock->rx_free > 0) {
        uint64_t at = vsock->rx_returned[--vsock->rx_free];
        const struct fake_buffer buffer = {at, RX_BUFFER_SIZE, true};

        fake_add(&vsock->machine, RX_QUEUE, &buffer, 1);
    }
    fake_notify(&vsock->machine, RX_QUEUE);
    require(fake_run(&vsock->machine, RUN_ROUNDS));
}

void fake_vsock_send(struct fake_vsock *vsock, const struct vsock_packet *packet, const void *data)
{
    uint64_t at = FAKE_HIGH_BASE + (uint64_t)vsock->tx_slot * TX_SLOT_SIZE;
    struct virtio_vsock_hdr header = vsock_packet_encode(packet);
    const struct fake_buffer buffers[] = {{at, sizeof(header), false},
                                          {at + sizeof(header), packet->len, false}};
    uint32_t head = 0;
    uint32_t size = 0;

    require(packet->len <= FAKE_PAYLOAD_MAX);
    vsock->tx_slot = (vsock->tx_slot + 1) % FAKE_TX_SLOTS;
    memcpy(fake_at(&vsock->machine, at), &header, sizeof(header));
    if (packet->len > 0)
        memcpy(fake_at(&vsock->machine, at + sizeof(header)), data, packet->len);
    fake_add(&vsock->machine, TX_QUEUE, buffers, packet->len > 0 ? 2 : 1);
    fake_notify(&vsock->machine, TX_QUEUE);
    require(fake_run(&vsock->machine, RUN_ROUNDS));
    while (fake_pop(&vsock->machine, TX_QUEUE, &head, &size))
        ;
}

static struct fake_stream *find(struct fake_vsock *vsock, const struct vsock_packet *packet)
{
    for (unsigned i = 0; i < vsock->stream_count; i++) {
        struct fake_stream *stream = &vsock->streams[i];

        if (stream->guest_port == packet->dst_port && stream->host_port == packet->src_port)
            return stream;
    }
    return NULL;
}

bool fake_vsock_receive(struct fake_vsock *vsock, struct vsock_packet *packet, void *data)
{
    const struct fake_queue *queue = &vsock->machine.queues[RX_QUEUE];
    struct virtio_vsock_hdr header;
    struct fake_stream *stream;
    uint32_t head = 0;
    uint32_t size = 0;
    uint64_t at;

    if (!fake_pop(&vsock->machine, RX_QUEUE, &head, &size))
        return false;
    /* The descriptor identifies the buffer. */
    at = load_le64(fake_at(&vsock->machine, queue->descriptors + 16ULL * head));
    vsock->rx_returned[vsock->rx_free++] = at;
    memcpy(&header, fake_at(&vsock->machine, at), sizeof(header));
    *packet = vsock_packet_decode(&header);
    require(size == sizeof(header) + packet->len);
    require(packet->src_cid == VSOCK_HOST_CID && packet->dst_cid == FAKE_GUEST_CID);
    if (data && packet->len > 0)
        memcpy(data, fake_at(&vsock->machine, at + sizeof(header)), packet->len);
    stream = find(vsock, packet);
    if (stream) {
        stream->received += packet->len;
        stream->peer_buf_alloc = packet->buf_alloc;
        stream->peer_forwarded = packet->fwd_cnt;
        /* The device never sends more than the guest has room for. */
        require(stream->received - stream->forwarded <= stream->buf_alloc);
    }
    return true;
}

struct vsock_packet fake_vsock_packet(const struct fake_stream *stream, uint16_t op)
{
    return (struct vsock_packet){
        .src_cid = FAKE_GUEST_CID,
        .dst_cid = VSOCK_HOST_CID,
        .src_port = stream->guest_port,
        .dst_port = stream->host_port,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .op = op,
        .buf_alloc = stream->buf_alloc,
        .fwd_cnt = stream->forwarded,
    };
}

void fake_vsock_say(struct fake_vsock *vsock, const struct fake_stream *stream, uint16_t op,
                    uint32_t flags)
{
    struct vsock_packet packet = fake_vsock_packet(stream, op);

    packet.flags = flags;
    fake_vsock_send(vsock, &packet, NULL);
}

void fake_vsock_write(struct fake_vsock *vsock, struct fake_stream *stream, const void *data,
                      uint32_t size)
{
    struct vsock_packet packet = fake_vsock_packet(stream, VIRTIO_VSOCK_OP_RW);

    packet.len = size;
    stream->sent += size;
    fake_vsock_send(vsock, &packet, data);
}

uint32_t fake_vsock_credit(const struct fake_stream *stream)
{
    return stream->peer_buf_alloc - (stream->sent - stream->peer_forwarded);
}

int fake_vsock_connect(struct fake_vsock *vsock, uint32_t guest_port, uint32_t host_port,
                       struct fake_stream **stream)
{
    struct fake_stream *made = &vsock->streams[vsock->stream_count++];
    struct vsock_packet packet;
    char name[32];
    int listener;
    int fd;

    require(vsock->stream_count <= 4);
    *made = (struct fake_stream){guest_port, host_port, .buf_alloc = 256 * 1024};
    snprintf(name, sizeof(name), "vsock_%u", host_port);
    listener = fake_vsock_listen(vsock, name);
    fake_vsock_say(vsock, made, VIRTIO_VSOCK_OP_REQUEST, 0);
    require(fake_vsock_receive(vsock, &packet, NULL) && packet.op == VIRTIO_VSOCK_OP_RESPONSE &&
            find(vsock, &packet) == made && packet.buf_alloc > 0);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    require(fd >= 0);
    close(listener);
    require(unlink(address_in(vsock->directory, name).sun_path) == 0);
    *stream = made;
    return fd;
}
