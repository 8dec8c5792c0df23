/* SPDX-License-Identifier: Apache-2.0 */
/* virtio sockets between a fake guest and real UNIX sockets: connections and their ends. */
#include <stdlib.h>

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vsock/vsock.h"
#include "tests/unit/devices/fake_vsock.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

#define SHUTDOWN_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

static struct fake_vsock vsock;
static struct fake_stream *stream;
static struct vsock_packet packet;

static int begin(void **state)
{
    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR);
    fake_vsock_create(&vsock, 0);
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
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
    assert_true(fake_run(&vsock.machine, 1000)); /* it comes to rest: no busy loop */
}

static void expect_packet(uint16_t op, uint32_t flags)
{
    assert_true(fake_vsock_receive(&vsock, &packet, NULL));
    assert_int_equal(packet.op, op);
    assert_int_equal(packet.flags, flags);
}

static void expect_silence(void)
{
    run();
    assert_false(fake_vsock_receive(&vsock, &packet, NULL));
}

static void expect_bytes(int fd, const char *text)
{
    char bytes[64];

    assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void expect_end(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void expect_nothing_yet(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

/* ---- the guest connects ---- */

static void bytes_go_both_ways(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    char bytes[FAKE_RX_PAYLOAD];

    (void)state;
    fake_vsock_write(&vsock, stream, "to the host", 11);
    expect_bytes(fd, "to the host");
    assert_int_equal(send(fd, "to the guest", 12, 0), 12);
    run();
    assert_true(fake_vsock_receive(&vsock, &packet, bytes));
    assert_int_equal(packet.op, VIRTIO_VSOCK_OP_RW);
    assert_int_equal(packet.len, 12);
    assert_memory_equal(bytes, "to the guest", 12);
    assert_int_equal(packet.fwd_cnt, 11);
    close(fd);
}

static void nobody_listening_is_a_reset(void **state)
{
    struct fake_stream lost = {5000, 1024, 4096, 0, 0, 0, 0, 0};

    (void)state;
    fake_vsock_say(&vsock, &lost, VIRTIO_VSOCK_OP_REQUEST, 0);
    expect_packet(VIRTIO_VSOCK_OP_RST, 0);
    assert_int_equal(packet.src_port, 1024);
    assert_int_equal(packet.dst_port, 5000);
    assert_int_equal(packet.type, VIRTIO_VSOCK_TYPE_STREAM);
}

static void the_guest_knows_its_cid(void **state)
{
    uint8_t data[8];

    (void)state;
    virtio_mmio_read(vsock.machine.mmio, VIRTIO_MMIO_CONFIG, data, sizeof(data));
    assert_int_equal(load_le64(data), FAKE_GUEST_CID);
}

static void a_credit_request_is_answered(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);

    (void)state;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
    expect_packet(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    close(fd);
}

/* ---- ends ---- */

static void the_hosts_half_close_reaches_the_guest(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    char bytes[FAKE_RX_PAYLOAD];

    (void)state;
    assert_int_equal(send(fd, "last words", 10, 0), 10);
    shutdown(fd, SHUT_WR);
    run();
    assert_true(fake_vsock_receive(&vsock, &packet, bytes));
    assert_int_equal(packet.len, 10);
    expect_packet(VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
    expect_silence();
    fake_vsock_write(&vsock, stream, "still here", 10); /* the other direction goes on */
    expect_bytes(fd, "still here");
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
    expect_end(fd);
    expect_packet(VIRTIO_VSOCK_OP_RST, 0);
    close(fd);
}

static void the_guests_half_close_reaches_the_host(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    char bytes[FAKE_RX_PAYLOAD];

    (void)state;
    fake_vsock_write(&vsock, stream, "last words", 10);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
    expect_bytes(fd, "last words");
    expect_end(fd);
    assert_int_equal(send(fd, "still here", 10, 0), 10);
    run();
    assert_true(fake_vsock_receive(&vsock, &packet, bytes));
    assert_memory_equal(bytes, "still here", 10);
    close(fd);
    run();
    expect_packet(VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV);
    expect_packet(VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH); /* after its last byte */
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_RST, 0);
    expect_silence();
}

static void a_guest_that_reads_no_more_stops_the_writer(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);

    (void)state;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV);
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    fake_vsock_write(&vsock, stream, "but writes", 10);
    expect_bytes(fd, "but writes");
    close(fd);
}

static void a_host_that_is_gone_is_reported_to_the_guest(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    static uint8_t data[FAKE_PAYLOAD_MAX];

    (void)state;
    close(fd);
    run();
    expect_packet(VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_RCV);
    expect_packet(VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH); /* after its last byte */
    /* What the guest had under way goes nowhere, and costs it no credit for ever. */
    for (unsigned i = 0; i < 8; i++)
        fake_vsock_write(&vsock, stream, data, sizeof(data));
    while (fake_vsock_receive(&vsock, &packet, NULL))
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
    assert_true(fake_vsock_credit(stream) >= 128 * 1024);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_RST, 0);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    expect_packet(VIRTIO_VSOCK_OP_RST, 0); /* it is forgotten */
}

/* Fills the socket and part of the ring. Returns the bytes. */
static uint32_t stuff(int fd)
{
    static uint8_t data[FAKE_PAYLOAD_MAX];
    int size = 0;
    socklen_t length = sizeof(size);

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 11);
    while (stream->sent < (uint32_t)size + 100000) {
        fake_vsock_write(&vsock, stream, data, sizeof(data));
        while (fake_vsock_receive(&vsock, &packet, NULL))
            ;
    }
    return stream->sent;
}

static void expect_stuff(int fd, uint32_t size)
{
    uint32_t at = 0;
    uint8_t bytes[10000];
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < got; i++, at++)
            assert_int_equal(bytes[i], (uint8_t)((at % FAKE_PAYLOAD_MAX) * 11));
        run();
    }
    assert_int_equal(got, 0);
    assert_int_equal(at, size);
}

static void a_close_waits_for_the_last_byte(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    uint32_t size = stuff(fd);

    (void)state;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
    expect_silence(); /* no RST before the host has all of it */
    expect_stuff(fd, size);
    expect_packet(VIRTIO_VSOCK_OP_RST, 0);
    close(fd);
}

static void an_impatient_close_loses_no_byte(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    uint32_t size = stuff(fd);

    (void)state;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_RST, 0); /* Linux, after eight seconds */
    expect_stuff(fd, size);
    expect_silence();
    close(fd);
}

static void a_reset_ends_at_once(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);

    (void)state;
    fake_vsock_write(&vsock, stream, "abc", 3);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_RST, 0);
    expect_bytes(fd, "abc");
    expect_end(fd);
    expect_silence();
    close(fd);
}

static void unread_input_is_no_error_for_the_host(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    static char much[100000];

    (void)state;
    stream->buf_alloc = 0; /* nothing of it can be delivered */
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    assert_int_equal(send(fd, much, sizeof(much), 0), sizeof(much));
    run();
    fake_vsock_write(&vsock, stream, "bye", 3);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
    expect_bytes(fd, "bye");
    expect_end(fd); /* not ECONNRESET */
    close(fd);
}

static void a_gone_host_ends_a_close_that_waits(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);

    (void)state;
    stuff(fd);
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, SHUTDOWN_BOTH);
    expect_silence();
    close(fd);
    run();
    expect_packet(VIRTIO_VSOCK_OP_RST, 0);
    expect_silence();
}

/* ---- the host connects ---- */

static int dial(const char *greeting)
{
    int fd = fake_vsock_dial(&vsock, "vsock");

    assert_int_equal(send(fd, greeting, strlen(greeting), 0), strlen(greeting));
    run();
    return fd;
}

static void the_host_reaches_a_listener_of_the_guest(void **state)
{
    int fd = dial("CONNECT 22\nearly");
    struct fake_stream from_host = {.guest_port = 22, .buf_alloc = 4096};
    char bytes[FAKE_RX_PAYLOAD];

    (void)state;
    expect_packet(VIRTIO_VSOCK_OP_REQUEST, 0);
    assert_int_equal(packet.dst_port, 22);
    from_host.host_port = packet.src_port;
    expect_nothing_yet(fd);
    fake_vsock_say(&vsock, &from_host, VIRTIO_VSOCK_OP_RESPONSE, 0);
    expect_bytes(fd, "OK\n");
    assert_true(fake_vsock_receive(&vsock, &packet, bytes)); /* what followed the line */
    assert_int_equal(packet.len, 5);
    assert_memory_equal(bytes, "early", 5);
    fake_vsock_write(&vsock, &from_host, "hello", 5);
    expect_bytes(fd, "hello");
    close(fd);
}

static void a_refusing_guest_is_an_end_without_ok(void **state)
{
    int fd = dial("CONNECT 22\n");
    struct fake_stream from_host = {.guest_port = 22};

    (void)state;
    expect_packet(VIRTIO_VSOCK_OP_REQUEST, 0);
    from_host.host_port = packet.src_port;
    fake_vsock_say(&vsock, &from_host, VIRTIO_VSOCK_OP_RST, 0);
    expect_end(fd);
    close(fd);
}

static void a_host_that_gives_up_resets(void **state)
{
    int fd = dial("CONNECT 22\n");

    (void)state;
    expect_packet(VIRTIO_VSOCK_OP_REQUEST, 0);
    close(fd);
    run();
    expect_packet(VIRTIO_VSOCK_OP_RST, 0);
    expect_silence();
}

static void a_greeting_may_come_in_pieces(void **state)
{
    int fd = dial("CONN");

    (void)state;
    expect_silence();
    assert_int_equal(send(fd, "ECT 4294967294\n", 15, 0), 15);
    run();
    expect_packet(VIRTIO_VSOCK_OP_REQUEST, 0);
    assert_int_equal(packet.dst_port, 4294967294U);
    close(fd);
}

static void bad_greetings_are_hung_up_on(void **state)
{
    static const char *const bad[] = {
        "\n",
        "CONNECT\n",
        "CONNECT \n",
        "CONNECT x\n",
        "CONNECT -1\n",
        "CONNECT 1 \n",
        "CONNECT 4294967295\n",
        "connect 1\n",
        "GET / HTTP/1.1 and so on, without an end",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        int fd = dial(bad[i]);
        char byte;

        assert_true(recv(fd, &byte, 1, 0) == 0 || errno == ECONNRESET);
        close(fd);
    }
    expect_silence();
}

/* ---- the device ---- */

static void a_reset_of_the_device_ends_all(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    int other = dial("CONNECT 22\n");

    (void)state;
    fake_vsock_restart(&vsock, 0);
    expect_end(fd);
    expect_end(other);
    close(fd);
    close(other);
    fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    expect_silence();
    fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    close(fd);
    fd = dial("CONNECT 23\n");
    close(fd);
}

static void a_loaded_guest_learns_that_its_connections_are_gone(void **unused)
{
    size_t size = virtio_mmio_state_size(vsock.machine.mmio);
    uint8_t *state = malloc(size);
    const struct fake_buffer buffer = {0x180000, 4, true};
    uint32_t head = 0;
    uint32_t used = 0;

    (void)unused;
    assert_non_null(state);
    fake_add(&vsock.machine, 2, &buffer, 1); /* event buffers wait silently */
    fake_notify(&vsock.machine, 2);
    run();
    assert_false(fake_pop(&vsock.machine, 2, &head, &used));
    virtio_mmio_save(vsock.machine.mmio, state);
    assert_int_equal(virtio_mmio_load(vsock.machine.mmio, state, NULL), 0);
    virtio_mmio_notify(vsock.machine.mmio, 0); /* the loop begins to run */
    assert_true(fake_pop(&vsock.machine, 2, &head, &used));
    assert_int_equal(used, 4);
    state[size - 16]++; /* another guest's number */
    assert_int_equal(virtio_mmio_load(vsock.machine.mmio, state, NULL), -EINVAL);
    free(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways),
        TEST(nobody_listening_is_a_reset),
        TEST(the_guest_knows_its_cid),
        TEST(a_credit_request_is_answered),
        TEST(the_hosts_half_close_reaches_the_guest),
        TEST(the_guests_half_close_reaches_the_host),
        TEST(a_guest_that_reads_no_more_stops_the_writer),
        TEST(a_host_that_is_gone_is_reported_to_the_guest),
        TEST(a_close_waits_for_the_last_byte),
        TEST(an_impatient_close_loses_no_byte),
        TEST(a_reset_ends_at_once),
        TEST(unread_input_is_no_error_for_the_host),
        TEST(a_gone_host_ends_a_close_that_waits),
        TEST(the_host_reaches_a_listener_of_the_guest),
        TEST(a_refusing_guest_is_an_end_without_ok),
        TEST(a_host_that_gives_up_resets),
        TEST(a_greeting_may_come_in_pieces),
        TEST(bad_greetings_are_hung_up_on),
        TEST(a_reset_of_the_device_ends_all),
        TEST(a_loaded_guest_learns_that_its_connections_are_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
