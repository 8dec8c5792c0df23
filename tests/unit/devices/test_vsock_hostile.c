/* SPDX-License-Identifier: Apache-2.0 */
/* virtio sockets against a guest that does not keep to the protocol. */
#include <stdlib.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vsock/vsock.h"
#include "tests/unit/devices/fake_vsock.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

enum { RX_QUEUE, TX_QUEUE, EVENT_QUEUE };

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

static void expect_op(uint16_t op)
{
    assert_true(fake_vsock_receive(&vsock, &packet, NULL));
    assert_int_equal(packet.op, op);
}

static void expect_silence(void)
{
    assert_true(fake_run(&vsock.machine, 1000));
    assert_false(fake_vsock_receive(&vsock, &packet, NULL));
}

static void expect_failed(void)
{
    assert_true(fake_run(&vsock.machine, 1000));
    assert_true(fake_read(&vsock.machine, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* ---- packets ---- */

static void packets_of_and_for_others_are_dropped(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    struct vsock_packet bad = fake_vsock_packet(stream, VIRTIO_VSOCK_OP_RST);
    char bytes[8];

    (void)state;
    bad.src_cid = FAKE_GUEST_CID + 1;
    fake_vsock_send(&vsock, &bad, NULL);
    bad.src_cid = FAKE_GUEST_CID | 1ULL << 32;
    fake_vsock_send(&vsock, &bad, NULL);
    bad.src_cid = FAKE_GUEST_CID;
    bad.dst_cid = 3;
    fake_vsock_send(&vsock, &bad, NULL);
    bad.dst_cid = FAKE_GUEST_CID;
    bad.op = VIRTIO_VSOCK_OP_REQUEST;
    fake_vsock_send(&vsock, &bad, NULL);
    expect_silence();
    fake_vsock_write(&vsock, stream, "alive", 5);
    assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 5);
    close(fd);
}

static void strangers_are_reset(void **state)
{
    static const uint16_t ops[] = {VIRTIO_VSOCK_OP_INVALID,
                                   VIRTIO_VSOCK_OP_RESPONSE,
                                   VIRTIO_VSOCK_OP_SHUTDOWN,
                                   VIRTIO_VSOCK_OP_RW,
                                   VIRTIO_VSOCK_OP_CREDIT_UPDATE,
                                   VIRTIO_VSOCK_OP_CREDIT_REQUEST,
                                   99};
    struct fake_stream none = {.guest_port = 9, .host_port = 10};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ops); i++) {
        fake_vsock_say(&vsock, &none, ops[i], 0);
        expect_op(VIRTIO_VSOCK_OP_RST);
        assert_int_equal(packet.src_port, 10);
        assert_int_equal(packet.dst_port, 9);
    }
    fake_vsock_say(&vsock, &none, VIRTIO_VSOCK_OP_RST, 0); /* never a reset for a reset */
    expect_silence();
}

static void other_types_are_reset_in_kind(void **state)
{
    struct vsock_packet bad = {.src_cid = FAKE_GUEST_CID,
                               .dst_cid = VSOCK_HOST_CID,
                               .type = VIRTIO_VSOCK_TYPE_SEQPACKET,
                               .op = VIRTIO_VSOCK_OP_REQUEST};

    (void)state;
    fake_vsock_send(&vsock, &bad, NULL);
    expect_op(VIRTIO_VSOCK_OP_RST);
    assert_int_equal(packet.type, VIRTIO_VSOCK_TYPE_SEQPACKET);
}

static void a_connection_that_breaks_the_rules_is_reset(void **state)
{
    static const uint16_t ops[] = {VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
                                   VIRTIO_VSOCK_OP_INVALID, 99};

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LENGTH(ops); i++) {
        int fd;
        char byte;

        vsock.stream_count = 0;
        fd = fake_vsock_connect(&vsock, 5000 + i, 1024, &stream);
        fake_vsock_say(&vsock, stream, ops[i], 0);
        expect_op(VIRTIO_VSOCK_OP_RST);
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
}

static void data_after_the_end_is_reset(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);

    (void)state;
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_SHUTDOWN_SEND);
    fake_vsock_write(&vsock, stream, "more", 4);
    expect_op(VIRTIO_VSOCK_OP_RST);
    close(fd);
}

static void a_length_that_lies_is_reset(void **state)
{
    static const uint32_t lies[] = {6, 4096, UINT32_MAX, UINT32_MAX - 43};

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LENGTH(lies); i++) {
        struct fake_buffer buffers[2];
        struct virtio_vsock_hdr header;
        struct vsock_packet lie;
        uint64_t at = fake_allocate(&vsock.machine, 64);
        char bytes[16];
        int fd;

        vsock.stream_count = 0;
        fd = fake_vsock_connect(&vsock, 5000 + i, 1024, &stream);
        lie = fake_vsock_packet(stream, VIRTIO_VSOCK_OP_RW);
        lie.len = lies[i];
        header = vsock_packet_encode(&lie);
        memcpy(fake_at(&vsock.machine, at), &header, sizeof(header));
        buffers[0] = (struct fake_buffer){at, sizeof(header), false};
        buffers[1] = (struct fake_buffer){at + sizeof(header), 5, false};
        fake_add(&vsock.machine, TX_QUEUE, buffers, 2);
        fake_notify(&vsock.machine, TX_QUEUE);
        assert_true(fake_run(&vsock.machine, 10));
        expect_op(VIRTIO_VSOCK_OP_RST);
        assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 0); /* not a byte of it */
        close(fd);
    }
}

static void more_than_the_credit_is_reset(void **state)
{
    static uint8_t data[FAKE_PAYLOAD_MAX];
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    bool reset = false;

    (void)state;
    /* Whatever the socket takes, and the ring, and then some: the host reads nothing. */
    for (unsigned i = 0; i < 64 && !reset; i++) {
        fake_vsock_write(&vsock, stream, data, sizeof(data));
        while (fake_vsock_receive(&vsock, &packet, NULL))
            reset |= packet.op == VIRTIO_VSOCK_OP_RST;
        fake_vsock_offer(&vsock, FAKE_RX_BUFFERS);
    }
    assert_true(reset);
    close(fd);
}

/* ---- quantities ---- */

static void connections_are_bounded(void **state)
{
    int listener = fake_vsock_listen(&vsock, "vsock_1024");
    struct fake_stream many = {.host_port = 1024, .buf_alloc = 4096};
    char path[128];

    (void)state;
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS_MAX + 10; i++) {
        many.guest_port = 5000 + i;
        fake_vsock_say(&vsock, &many, VIRTIO_VSOCK_OP_REQUEST, 0);
        expect_op(i < VSOCK_CONNECTIONS_MAX ? VIRTIO_VSOCK_OP_RESPONSE : VIRTIO_VSOCK_OP_RST);
        fake_vsock_offer(&vsock, 1);
    }
    many.guest_port = 5007;
    fake_vsock_say(&vsock, &many, VIRTIO_VSOCK_OP_RST, 0);
    many.guest_port = 4000;
    fake_vsock_say(&vsock, &many, VIRTIO_VSOCK_OP_REQUEST, 0);
    expect_op(VIRTIO_VSOCK_OP_RESPONSE);
    close(listener);
    snprintf(path, sizeof(path), "%s/vsock_1024", vsock.directory);
    unlink(path);
}

static void resets_wait_for_buffers(void **state)
{
    struct fake_stream none = {.guest_port = 9, .host_port = 10};
    unsigned resets = 0;

    (void)state;
    fake_vsock_restart(&vsock, 0); /* without receive buffers */
    for (unsigned i = 0; i < 100; i++)
        fake_vsock_say(&vsock, &none, VIRTIO_VSOCK_OP_RW, 0);
    assert_true(vsock.machine.queues[TX_QUEUE].seen_used < 100); /* the queue waits */
    for (unsigned i = 0; i < 100; i++) {
        fake_vsock_offer(&vsock, 1);
        resets += fake_vsock_receive(&vsock, &packet, NULL);
    }
    assert_int_equal(resets, 100);
}

static void unanswered_resets_of_connections_wait_as_well(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    struct fake_stream *other;
    int other_fd;

    (void)state;
    while (vsock.rx_free < FAKE_RX_BUFFERS) { /* use the buffers up */
        fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
        while (fake_vsock_receive(&vsock, &packet, NULL))
            ;
    }
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_REQUEST, 0); /* an error */
    fake_vsock_say(&vsock, stream, VIRTIO_VSOCK_OP_RW, 0);      /* crosses the RST */
    fake_vsock_offer(&vsock, 8);
    expect_op(VIRTIO_VSOCK_OP_RST);
    expect_silence();
    vsock.stream_count = 0;
    other_fd = fake_vsock_connect(&vsock, 5000, 1024, &other); /* the port is free again */
    close(fd);
    close(other_fd);
}

/* ---- chains ---- */

static void short_chains_fail_the_device(void **state)
{
    const struct fake_buffer shorter = {0x180000, VSOCK_HEADER_SIZE - 1, false};
    const struct fake_buffer small = {0x180000, VSOCK_HEADER_SIZE - 1, true};
    struct fake_stream none = {.guest_port = 9, .host_port = 10};

    (void)state;
    fake_add(&vsock.machine, TX_QUEUE, &shorter, 1);
    fake_notify(&vsock.machine, TX_QUEUE);
    expect_failed();

    fake_vsock_restart(&vsock, 0);
    fake_add(&vsock.machine, RX_QUEUE, &small, 1);
    fake_vsock_say(&vsock, &none, VIRTIO_VSOCK_OP_RW, 0);
    expect_failed();

    fake_vsock_restart(&vsock, 0);
    fake_offer(&vsock.machine, TX_QUEUE, 0xffff);
    fake_notify(&vsock.machine, TX_QUEUE);
    expect_failed();
    fake_vsock_restart(&vsock, 0);
}

static void a_failed_device_rests(void **state)
{
    int fd = fake_vsock_connect(&vsock, 5000, 1024, &stream);
    static uint8_t data[1000];

    (void)state;
    fake_offer(&vsock.machine, TX_QUEUE, 0xffff);
    fake_notify(&vsock.machine, TX_QUEUE);
    expect_failed();
    assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
    assert_true(fake_run(&vsock.machine, 10));
    close(fd);
    assert_true(fake_run(&vsock.machine, 10));
}

/* Where no descriptor is left, a caller waits; and the I/O loop does not run in circles. */
static void a_listener_without_descriptors_pauses(void **state)
{
    struct rlimit limit;
    struct rlimit none;
    int fd = fake_vsock_dial(&vsock, "vsock");
    int next = dup(fd);

    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){(rlim_t)next, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fake_run(&vsock.machine, 1);
    assert_int_equal(vsock.machine.pauses, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(send(fd, "CONNECT 7\n", 10, 0), 10);
    assert_true(fake_run(&vsock.machine, 100));
    expect_op(VIRTIO_VSOCK_OP_REQUEST);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_of_and_for_others_are_dropped),
        TEST(strangers_are_reset),
        TEST(other_types_are_reset_in_kind),
        TEST(a_connection_that_breaks_the_rules_is_reset),
        TEST(data_after_the_end_is_reset),
        TEST(a_length_that_lies_is_reset),
        TEST(more_than_the_credit_is_reset),
        TEST(connections_are_bounded),
        TEST(resets_wait_for_buffers),
        TEST(unanswered_resets_of_connections_wait_as_well),
        TEST(short_chains_fail_the_device),
        TEST(a_failed_device_rests),
        TEST(a_listener_without_descriptors_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
