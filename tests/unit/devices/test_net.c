/* SPDX-License-Identifier: Apache-2.0 */
/* The network device between a driver and real sockets: frames, headers, sizes, ends. */
#include <stddef.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"

enum { RECEIVE_QUEUE, TRANSMIT_QUEUE };

#define ALL_FEATURES                                                                               \
    (1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_GUEST_CSUM |                            \
     1ULL << VIRTIO_NET_F_GUEST_TSO4)
#define CONFIG_STATUS (0x100 + offsetof(struct virtio_net_config, status))

static const struct net_options options = {.mac = {2, 0, 0, 0, 0, 7}, .mtu = 1500};
static struct fake_machine machine;
static int world; /* the other end */

static void create(int type, uint64_t features)
{
    struct virtio_device *device = NULL;
    struct net_backend *backend = NULL;
    int ends[2];

    log_configure(-1, LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), 0);
    world = ends[0];
    if (type == SOCK_STREAM)
        assert_int_equal(net_backend_stream(ends[1], &backend, NULL), 0);
    else
        assert_int_equal(net_backend_datagram(ends[1], NET_HEADER_SIZE, &backend, NULL), 0);
    assert_int_equal(net_create(&options, backend, &device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, features, 16);
}

static int begin_datagram(void **state)
{
    (void)state;
    create(SOCK_SEQPACKET, ALL_FEATURES);
    return 0;
}

static int begin_stream(void **state)
{
    (void)state;
    create(SOCK_STREAM, 1ULL << VIRTIO_NET_F_MRG_RXBUF);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_machine_destroy(&machine);
    close(world);
    return 0;
}

/* Some bytes that tell where they are from. */
static void fill(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
}

static void run(void)
{
    assert_true(fake_run(&machine, 1000));
}

/* Offers a buffer to receive into; returns its address. */
static uint64_t offer(uint32_t size)
{
    struct fake_buffer buffer = {fake_allocate(&machine, size), size, true};

    fake_add(&machine, RECEIVE_QUEUE, &buffer, 1);
    fake_notify(&machine, RECEIVE_QUEUE);
    run();
    return buffer.address;
}

/* Transmits header and frame in two buffers, of which the second begins at `split`. */
static void transmit(const struct virtio_net_hdr_mrg_rxbuf *header, const uint8_t *frame,
                     uint32_t size, uint32_t split)
{
    const uint32_t total = (uint32_t)NET_HEADER_SIZE + size;
    uint64_t address = fake_allocate(&machine, total);
    const struct fake_buffer buffers[] = {{address, split, false},
                                          {address + split, total - split, false}};

    memcpy(fake_at(&machine, address), header, NET_HEADER_SIZE);
    memcpy((uint8_t *)fake_at(&machine, address) + NET_HEADER_SIZE, frame, size);
    fake_add(&machine, TRANSMIT_QUEUE, buffers, 2);
    fake_notify(&machine, TRANSMIT_QUEUE);
    run();
}

static void expect_used(unsigned queue, uint32_t expected)
{
    uint32_t head;
    uint32_t size;

    assert_true(fake_pop(&machine, queue, &head, &size));
    assert_int_equal(size, expected);
}

static void expect_none_used(unsigned queue)
{
    uint32_t head;
    uint32_t size;

    assert_false(fake_pop(&machine, queue, &head, &size));
}

/* The world sends a frame with that header. */
static void send_frame(const struct virtio_net_hdr_mrg_rxbuf *header, size_t size)
{
    uint8_t data[NET_HEADER_SIZE + 70000];

    memcpy(data, header, NET_HEADER_SIZE);
    fill(data + NET_HEADER_SIZE, size);
    assert_int_equal(send(world, data, NET_HEADER_SIZE + size, 0), NET_HEADER_SIZE + size);
    run();
}

static const struct virtio_net_hdr_mrg_rxbuf plain;

static void configuration_is_shown(void **state)
{
    (void)state;
    assert_int_equal(fake_read(&machine, 0x100), 0x00000002);
    assert_int_equal(fake_read(&machine, 0x104) & 0xffff, 0x0700);
    assert_int_equal(fake_read(&machine, 0x104) >> 16, VIRTIO_NET_S_LINK_UP);
    assert_int_equal(fake_read(&machine, 0x108) >> 16, 1500);
}

static void frames_go_out_with_their_header(void **state)
{
    const struct virtio_net_hdr_mrg_rxbuf header = {
        .hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16}};
    uint8_t frame[1514];
    uint8_t got[2000];

    (void)state;
    fill(frame, sizeof(frame));
    for (uint32_t split = 1; split < 40; split++) {
        transmit(&header, frame, sizeof(frame), split);
        expect_used(TRANSMIT_QUEUE, 0);
        assert_int_equal(recv(world, got, sizeof(got), 0), NET_HEADER_SIZE + sizeof(frame));
        assert_memory_equal(got, &header, NET_HEADER_SIZE);
        assert_memory_equal(got + NET_HEADER_SIZE, frame, sizeof(frame));
    }
}

static void a_frame_fits_into_one_buffer(void **state)
{
    const struct virtio_net_hdr_mrg_rxbuf sent = {
        .hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16}};
    const struct virtio_net_hdr_mrg_rxbuf *got;
    uint8_t frame[1514];
    uint64_t address = offer(2048);

    (void)state;
    fill(frame, sizeof(frame));
    send_frame(&sent, sizeof(frame));
    expect_used(RECEIVE_QUEUE, (uint32_t)(NET_HEADER_SIZE + sizeof(frame)));
    got = fake_at(&machine, address);
    assert_int_equal(got->num_buffers, 1);
    assert_memory_equal(&got->hdr, &sent.hdr, sizeof(sent.hdr));
    assert_memory_equal((const uint8_t *)got + NET_HEADER_SIZE, frame, sizeof(frame));
}

static void a_large_frame_takes_several_buffers(void **state)
{
    uint8_t frame[5000];
    uint64_t addresses[3];
    const uint32_t part = 2048;

    (void)state;
    fill(frame, sizeof(frame));
    for (unsigned i = 0; i < 3; i++)
        addresses[i] = offer(part);
    send_frame(&plain, sizeof(frame));
    expect_used(RECEIVE_QUEUE, part);
    expect_used(RECEIVE_QUEUE, part);
    expect_used(RECEIVE_QUEUE, (uint32_t)(NET_HEADER_SIZE + sizeof(frame)) - 2 * part);
    assert_int_equal(
        ((const struct virtio_net_hdr_mrg_rxbuf *)fake_at(&machine, addresses[0]))->num_buffers, 3);
    assert_memory_equal((uint8_t *)fake_at(&machine, addresses[0]) + NET_HEADER_SIZE, frame,
                        part - NET_HEADER_SIZE);
    assert_memory_equal(fake_at(&machine, addresses[1]), frame + part - NET_HEADER_SIZE, part);
    assert_memory_equal(fake_at(&machine, addresses[2]), frame + 2 * part - NET_HEADER_SIZE,
                        sizeof(frame) - 2 * part + NET_HEADER_SIZE);
}

/* It waits for the buffers, and the device watches for nothing meanwhile. */
static void a_frame_without_enough_buffers_waits(void **state)
{
    uint8_t frame[3000];
    uint64_t first = offer(1024);
    unsigned events;

    (void)state;
    fill(frame, sizeof(frame));
    send_frame(&plain, sizeof(frame));
    expect_none_used(RECEIVE_QUEUE);
    send_frame(&plain, 10);
    events = machine.fd_events;
    run();
    assert_int_equal(machine.fd_events, events);
    offer(1024);
    expect_none_used(RECEIVE_QUEUE);
    offer(1024);
    expect_used(RECEIVE_QUEUE, 1024);
    expect_used(RECEIVE_QUEUE, 1024);
    expect_used(RECEIVE_QUEUE, (uint32_t)(NET_HEADER_SIZE + sizeof(frame)) - 2048);
    assert_memory_equal((uint8_t *)fake_at(&machine, first) + NET_HEADER_SIZE, frame,
                        1024 - NET_HEADER_SIZE);
    offer(1024);
    expect_used(RECEIVE_QUEUE, NET_HEADER_SIZE + 10);
}

static void without_merging_a_large_frame_is_lost(void **state)
{
    (void)state;
    fake_start(&machine, 0, 16);
    offer(1024);
    send_frame(&plain, 3000);
    expect_none_used(RECEIVE_QUEUE);
    send_frame(&plain, 100);
    expect_used(RECEIVE_QUEUE, NET_HEADER_SIZE + 100);
}

static void a_frame_for_no_buffers_at_all_is_lost(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 15; i++)
        offer(NET_HEADER_SIZE);
    send_frame(&plain, 3000);
    expect_none_used(RECEIVE_QUEUE);
    assert_false(fake_read(&machine, 0x070) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void what_was_not_negotiated_does_not_arrive(void **state)
{
    static const struct virtio_net_hdr_mrg_rxbuf refused[] = {
        {.hdr = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 1400}},
        {.hdr = {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1400}},
        {.hdr = {.gso_type = 0x7f}},
    };
    const struct virtio_net_hdr_mrg_rxbuf taken = {
        .hdr = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, .gso_size = 1400}};

    (void)state;
    offer(2048);
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        send_frame(&refused[i], 100);
        expect_none_used(RECEIVE_QUEUE);
    }
    send_frame(&taken, 100);
    expect_used(RECEIVE_QUEUE, NET_HEADER_SIZE + 100);
    fake_start(&machine, 0, 16);
    offer(2048);
    send_frame(&(struct virtio_net_hdr_mrg_rxbuf){.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM}},
               100);
    expect_none_used(RECEIVE_QUEUE);
}

static void bad_chains_fail_the_device(void **state)
{
    struct fake_buffer buffer = {fake_allocate(&machine, 64), NET_HEADER_SIZE - 1, false};

    (void)state;
    fake_add(&machine, TRANSMIT_QUEUE, &buffer, 1);
    fake_notify(&machine, TRANSMIT_QUEUE);
    run();
    assert_true(fake_read(&machine, 0x070) & VIRTIO_CONFIG_S_NEEDS_RESET);
    fake_start(&machine, ALL_FEATURES, 16);
    buffer.writable = true;
    fake_add(&machine, RECEIVE_QUEUE, &buffer, 1);
    fake_notify(&machine, RECEIVE_QUEUE);
    run();
    assert_true(fake_read(&machine, 0x070) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void frames_of_impossible_sizes_are_lost(void **state)
{
    static uint8_t frame[NET_FRAME_MAX + 1];
    uint8_t got[100];

    (void)state;
    transmit(&plain, frame, 0, 5);
    expect_used(TRANSMIT_QUEUE, 0);
    transmit(&plain, frame, sizeof(frame), 5);
    expect_used(TRANSMIT_QUEUE, 0);
    assert_int_equal(recv(world, got, sizeof(got), 0), -1);
    assert_int_equal(errno, EAGAIN);
}

/* ---- a stream ---- */

static void send_sized(const uint8_t *frame, uint32_t size, size_t piece)
{
    uint8_t data[4 + 70000];
    uint32_t field = htonl(size);

    memcpy(data, &field, 4);
    memcpy(data + 4, frame, size);
    for (size_t at = 0; at < 4 + size; at += piece) {
        size_t part = 4 + size - at < piece ? 4 + size - at : piece;

        assert_int_equal(send(world, data + at, part, 0), part);
        run();
    }
}

static void a_stream_carries_sizes(void **state)
{
    uint8_t frame[1514];
    uint8_t got[2000];

    (void)state;
    fill(frame, sizeof(frame));
    for (uint32_t split = 1; split < 30; split++) {
        transmit(&plain, frame, sizeof(frame), split);
        expect_used(TRANSMIT_QUEUE, 0);
        assert_int_equal(recv(world, got, sizeof(got), 0), 4 + sizeof(frame));
        assert_int_equal(got[2] << 8 | got[3], sizeof(frame));
        assert_memory_equal(got + 4, frame, sizeof(frame));
    }
    assert_int_equal(machine.device->features &
                         (1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4),
                     0);
}

static void a_stream_may_come_in_pieces(void **state)
{
    static const size_t pieces[] = {1, 3, 4, 5, 700, 5000};
    uint8_t frame[1514];

    (void)state;
    fill(frame, sizeof(frame));
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        uint64_t address = offer(2048);

        send_sized(frame, sizeof(frame), pieces[i]);
        expect_used(RECEIVE_QUEUE, (uint32_t)(NET_HEADER_SIZE + sizeof(frame)));
        assert_memory_equal((uint8_t *)fake_at(&machine, address) + NET_HEADER_SIZE, frame,
                            sizeof(frame));
    }
}

/* A reader that does not read: the rest of a frame is kept, the next ones wait; nothing is lost. */
static void a_full_stream_loses_nothing(void **state)
{
    enum { FRAMES = 12, SIZE = 60000 };
    static uint8_t frame[SIZE];
    static uint8_t got[FRAMES * (4 + SIZE)];
    const int small = 4096;
    uint64_t address = fake_allocate(&machine, NET_HEADER_SIZE + SIZE);
    size_t size = 0;
    uint32_t head;
    uint32_t written;
    unsigned used = 0;

    (void)state;
    setsockopt(machine.watches[0].fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    fill(frame, sizeof(frame));
    memcpy((uint8_t *)fake_at(&machine, address) + NET_HEADER_SIZE, frame, SIZE);
    for (unsigned i = 0; i < FRAMES; i++)
        fake_add(&machine, TRANSMIT_QUEUE,
                 &(struct fake_buffer){address, NET_HEADER_SIZE + SIZE, false}, 1);
    fake_notify(&machine, TRANSMIT_QUEUE);
    run();
    while (fake_pop(&machine, TRANSMIT_QUEUE, &head, &written))
        used++;
    assert_in_range(used, 1, FRAMES - 1);
    for (unsigned rounds = 0; size < sizeof(got) && rounds < 10000; rounds++) {
        ssize_t count = recv(world, got + size, sizeof(got) - size, 0);

        size += count > 0 ? (size_t)count : 0;
        run();
    }
    assert_int_equal(size, sizeof(got));
    for (unsigned i = 0; i < FRAMES; i++)
        assert_memory_equal(got + (size_t)i * (4 + SIZE) + 4, frame, SIZE);
    while (fake_pop(&machine, TRANSMIT_QUEUE, &head, &written))
        used++;
    assert_int_equal(used, FRAMES);
}

/* Puts the destination of an IP packet into a frame. */
static void address_frame(uint8_t *frame, const char *text)
{
    bool ipv6 = strchr(text, ':');
    unsigned type = ipv6 ? ETH_P_IPV6 : ETH_P_IP;

    memset(frame, 0, 100);
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
    assert_int_equal(
        inet_pton(ipv6 ? AF_INET6 : AF_INET, text, frame + ETH_HLEN + (ipv6 ? 24 : 16)), 1);
}

static void nothing_for_the_hosts_loopback_goes_out(void **state)
{
    static const struct {
        const char *address;
        bool passes;
    } cases[] = {
        {"127.0.0.1", false},
        {"127.255.255.254", false},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"::1", false},
        {"::", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:0.0.0.0", false},
        {"128.0.0.1", true},
        {"126.255.255.255", true},
        {"10.0.2.2", true},
        {"::2", true},
        {"fe80::1", true},
        {"::ffff:10.0.0.1", true},
        {"100::1", true},
    };
    uint8_t frame[100];
    uint8_t got[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        address_frame(frame, cases[i].address);
        for (uint32_t split = 11; split < 70; split += 3) {
            ssize_t size;

            transmit(&plain, frame, sizeof(frame), split);
            expect_used(TRANSMIT_QUEUE, 0);
            size = recv(world, got, sizeof(got), 0);
            if (size != (cases[i].passes ? 4 + (ssize_t)sizeof(frame) : -1))
                fail_msg("%s: %zd bytes came", cases[i].address, size);
        }
    }
}

static void expect_link_down(void)
{
    uint8_t frame[60] = {0};

    run();
    assert_int_equal(fake_read(&machine, 0x104) >> 16, 0);
    assert_true(fake_read(&machine, 0x060) & 2); /* a change of configuration */
    transmit(&plain, frame, sizeof(frame), 5);
    expect_used(TRANSMIT_QUEUE, 0); /* lost */
    assert_false(fake_read(&machine, 0x070) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void the_end_of_the_stream_is_the_link_s(void **state)
{
    (void)state;
    offer(2048);
    close(world);
    expect_link_down();
    world = -1;
}

/* Also while the rest of a frame waits for room in it. */
static void the_end_of_a_full_stream_is_seen(void **state)
{
    uint64_t address = fake_allocate(&machine, NET_HEADER_SIZE + 60000);

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        fake_add(&machine, TRANSMIT_QUEUE,
                 &(struct fake_buffer){address, NET_HEADER_SIZE + 60000, false}, 1);
    fake_notify(&machine, TRANSMIT_QUEUE);
    run();
    close(world);
    expect_link_down();
    world = -1;
}

static void a_stream_of_nonsense_is_the_end(void **state)
{
    static const uint8_t sizes[][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 1, 0, 15}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        fake_machine_destroy(&machine);
        close(world);
        create(SOCK_STREAM, 1ULL << VIRTIO_NET_F_MRG_RXBUF);
        offer(2048);
        assert_int_equal(send(world, sizes[i], 4, 0), 4);
        expect_link_down();
    }
}

#define DATAGRAM(name) cmocka_unit_test_setup_teardown(name, begin_datagram, end)
#define STREAM(name)   cmocka_unit_test_setup_teardown(name, begin_stream, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DATAGRAM(configuration_is_shown),
        DATAGRAM(frames_go_out_with_their_header),
        DATAGRAM(a_frame_fits_into_one_buffer),
        DATAGRAM(a_large_frame_takes_several_buffers),
        DATAGRAM(a_frame_without_enough_buffers_waits),
        DATAGRAM(without_merging_a_large_frame_is_lost),
        DATAGRAM(a_frame_for_no_buffers_at_all_is_lost),
        DATAGRAM(what_was_not_negotiated_does_not_arrive),
        DATAGRAM(bad_chains_fail_the_device),
        DATAGRAM(frames_of_impossible_sizes_are_lost),
        STREAM(a_stream_carries_sizes),
        STREAM(a_stream_may_come_in_pieces),
        STREAM(a_full_stream_loses_nothing),
        STREAM(nothing_for_the_hosts_loopback_goes_out),
        STREAM(the_end_of_the_stream_is_the_link_s),
        STREAM(the_end_of_a_full_stream_is_seen),
        STREAM(a_stream_of_nonsense_is_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
