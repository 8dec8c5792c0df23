/* SPDX-License-Identifier: Apache-2.0 */
/* virtio sockets under load: every byte once and in order, credit kept, nobody spins. */
#include <stdlib.h>

#include <linux/virtio_ring.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/devices/fake_vsock.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

#define FEATURES (1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define BULK     (24U << 20)

static struct fake_vsock vsock;
static struct fake_stream *stream;
static struct vsock_packet packet;

static int begin(void **state)
{
    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR);
    fake_vsock_create(&vsock, FEATURES);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_vsock_destroy(&vsock);
    return 0;
}

static void run(void)
{
    assert_true(fake_run(&vsock.machine, 1000));
}

/* A sequence without a short period, and a number that stands for its bytes and their order. */
static void fill(uint8_t *data, size_t size, uint32_t *seed)
{
    for (size_t i = 0; i < size; i++) {
        *seed = *seed * 1103515245U + 12345U;
        data[i] = (uint8_t)(*seed >> 16);
    }
}

static uint32_t sum(uint32_t so_far, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        so_far = (so_far ^ data[i]) * 16777619U;
    return so_far;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- guest to host ---- */

/* Returns how many there were. */
static uint32_t take_packets(void)
{
    uint32_t count = 0;

    for (; fake_vsock_receive(&vsock, &packet, NULL); count++)
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    return count;
}

static void bulk_reaches_a_slow_host(void **state)
{
    static uint8_t data[FAKE_PAYLOAD_MAX];
    uint32_t seed = 1;
    uint32_t in = 0;
    uint32_t out = 0;
    uint32_t received = 0;
    uint32_t updates = 0;
    bool starved = false;
    ssize_t got = 1;
    int fd;

    (void)state;
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    fd = fake_vsock_connect(&vsock, 5000, 1026, &stream);
    for (uint32_t turn = 0; got != 0; turn++) {
        uint32_t size = smaller(fake_vsock_credit(stream), 1 + turn * 997 % FAKE_PAYLOAD_MAX);

        size = smaller(size, BULK - stream->sent);
        if (size > 0) {
            fill(data, size, &seed);
            in = sum(in, data, size);
            fake_vsock_write(&vsock, stream, data, size);
            if (stream->sent == BULK)
                fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN,
                               VIRTIO_VSOCK_SHUTDOWN_SEND);
        }
        starved |= fake_vsock_credit(stream) == 0;
        got = recv(fd, data, 1 + turn * 7919 % sizeof(data), 0);
        if (got > 0) {
            out = sum(out, data, (size_t)got);
            received += (uint32_t)got;
        }
        run();
        updates += take_packets();
    }
    assert_int_equal(received, BULK);
    assert_int_equal(in, out);
    assert_true(updates <= BULK / (128 * 1024)); /* one for half the credit */
    assert_true(starved); /* the credit was used up, or the test has shown little */
    close(fd);
}

static void a_stalled_connection_holds_up_no_other(void **state)
{
    static uint8_t data[FAKE_PAYLOAD_MAX];
    struct fake_stream *stalled;
    int stalled_fd;
    int fd;

    (void)state;
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    stalled_fd = fake_vsock_connect(&vsock, 5000, 1026, &stalled);
    fd = fake_vsock_connect(&vsock, 5001, 1024, &stream);
    while (fake_vsock_credit(stalled) > 0) {
        fake_vsock_write(&vsock, stalled, data, smaller(fake_vsock_credit(stalled), sizeof(data)));
        take_packets();
    }
    fake_vsock_write(&vsock, stream, "control", 7);
    assert_int_equal(recv(fd, data, sizeof(data), 0), 7);
    assert_int_equal(send(fd, "answer", 6, 0), 6);
    run();
    assert_true(fake_vsock_receive(&vsock, &packet, data));
    assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
    assert_int_equal(packet.dst_port, 5001);
    close(fd);
    close(stalled_fd);
}

/* ---- host to guest ---- */

static void bulk_reaches_a_slow_guest(void **state)
{
    static uint8_t data[FAKE_PAYLOAD_MAX];
    uint8_t payload[FAKE_RX_PAYLOAD];
    uint32_t seed = 2;
    uint32_t in = 0;
    uint32_t out = 0;
    uint32_t written = 0;
    uint32_t pending = 0; /* filled and not yet taken by the socket */
    bool ended = false;
    int fd;

    (void)state;
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    fd = fake_vsock_connect(&vsock, 5000, 1025, &stream);
    stream->buf_alloc = 40000;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    for (uint32_t turn = 0; !ended; turn++) {
        ssize_t sent;

        if (pending == 0 && written < BULK) {
            pending = smaller(1 + turn * 997 % (uint32_t)sizeof(data), BULK - written);
            fill(data, pending, &seed);
        }
        sent = pending > 0 ? send(fd, data, pending, 0) : 0;
        if (sent > 0) {
            in = sum(in, data, (size_t)sent);
            written += (uint32_t)sent;
            pending -= (uint32_t)sent;
            memmove(data, data + sent, pending);
            if (written == BULK)
                shutdown(fd, SHUT_WR);
        }
        run();
        for (uint32_t i = 0; i < 1 + turn % 7 && fake_vsock_receive(&vsock, &packet, payload);
             i++) {
            if (packet.op == VIRTIO_VSOCK_OP_RW)
                out = sum(out, payload, packet.len);
            else if (packet.op == VIRTIO_VSOCK_OP_SHUTDOWN)
                ended = true;
            else
                assert_int_equal(packet.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
        }
        fake_vsock_offer(&vsock, turn % 5);
        if (turn % 3 == 0 && stream->forwarded != stream->received) {
            stream->forwarded = stream->received;
            fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
        }
    }
    assert_int_equal(stream->received, BULK);
    assert_int_equal(in, out);
    assert_false(fake_vsock_receive(&vsock, &packet, payload));
    close(fd);
}

static void credit_is_kept_to_the_byte(void **state)
{
    static uint8_t data[10000];
    int fd;

    (void)state;
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    fd = fake_vsock_connect(&vsock, 5000, 1025, &stream);
    stream->buf_alloc = 1000;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
    run();
    assert_true(fake_vsock_receive(&vsock, &packet, NULL));
    assert_int_equal(packet.len, 1000);
    assert_true(fake_vsock_receive(&vsock, &packet, NULL));
    assert_int_equal(packet.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
    assert_false(fake_vsock_receive(&vsock, &packet, NULL));
    assert_false(fake_watched(&vsock.machine, fd) & EPOLLIN);
    /* A lie: more taken than was ever sent. It brings the guest nothing. */
    stream->forwarded = 5000;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    assert_false(fake_vsock_receive(&vsock, &packet, NULL));
    stream->forwarded = 1;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    assert_true(fake_vsock_receive(&vsock, &packet, NULL));
    assert_int_equal(packet.len, 1);
    close(fd);
}

static void without_buffers_bytes_wait_in_the_socket(void **state)
{
    unsigned before;
    int fd;

    (void)state;
    fake_vsock_offer(&vsock, 1);
    fd = fake_vsock_connect(&vsock, 5000, 1025, &stream);
    assert_int_equal(send(fd, "patience", 8, 0), 8);
    run();
    before = vsock.machine.fd_events;
    run();
    run();
    assert_int_equal(vsock.machine.fd_events, before); /* not watched while it cannot be read */
    assert_false(fake_vsock_receive(&vsock, &packet, NULL));
    fake_vsock_offer(&vsock, 1);
    assert_true(fake_vsock_receive(&vsock, &packet, NULL));
    assert_int_equal(packet.len, 8);
    close(fd);
}

static void connections_take_turns(void **state)
{
    static uint8_t data[100000];
    struct fake_stream *other;
    unsigned of_other = 0;
    int fd;
    int other_fd;

    (void)state;
    fake_vsock_offer(&vsock, 2);
    fd = fake_vsock_connect(&vsock, 5000, 1025, &stream);
    other_fd = fake_vsock_connect(&vsock, 5001, 1026, &other);
    assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
    assert_int_equal(send(other_fd, data, sizeof(data), 0), sizeof(data));
    run();
    fake_vsock_offer(&vsock, 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(fake_vsock_receive(&vsock, &packet, NULL));
        of_other += packet.dst_port == 5001;
    }
    assert_int_equal(of_other, 10);
    close(fd);
    close(other_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bulk_reaches_a_slow_host),
        TEST(a_stalled_connection_holds_up_no_other),
        TEST(bulk_reaches_a_slow_guest),
        TEST(credit_is_kept_to_the_byte),
        TEST(without_buffers_bytes_wait_in_the_socket),
        TEST(connections_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
