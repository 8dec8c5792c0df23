/* SPDX-License-Identifier: Apache-2.0 */
/* The traces of devices, line by line, and the pipe that carries the lines. */
#include <stdlib.h>

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "devices/doorbell/doorbell.h"
#include "devices/vsock/packet.h"
#include "devices/vsock/vsock.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/devices/fake_vsock.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/monitor/trace_pipe.h"

#define SECTORS    8
#define EVENT_IDX  (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT   (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define QUEUE_SIZE 4

static struct fake_machine machine;

static void create_disk(uint64_t features)
{
    int fd = memfd_create("disk", MFD_CLOEXEC);
    struct block_backend backend = {fd, false, "serial"};
    struct virtio_device *device = NULL;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SECTORS * 512), 0);
    assert_int_equal(block_create(&backend, &device, NULL), 0);
    fake_machine_create_telling(&machine, device);
    fake_start(&machine, features, QUEUE_SIZE);
}

static int end(void **state)
{
    (void)state;
    fake_machine_destroy(&machine);
    return 0;
}

static void assert_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void assert_trace(const char *format, ...)
{
    char expected[4096];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(expected, sizeof(expected), format, arguments);
    va_end(arguments);
    assert_string_equal(fake_trace(&machine), expected);
}

static void set_up_is_traced(void **state)
{
    const struct fake_queue *queue = &machine.queues[0];

    (void)state;
    create_disk(0);
    assert_trace("transport: Status: 0, a reset\n"
                 "transport: Status: 0x01 ACKNOWLEDGE\n"
                 "transport: Status: 0x03 ACKNOWLEDGE DRIVER\n"
                 "transport: Status: 0x0b ACKNOWLEDGE DRIVER FEATURES_OK\n"
                 "transport: features: 0x100000000 of 0x%llx\n"
                 "requestq: QueueReady: size 4, descriptor table 0x%llx, available ring 0x%llx, "
                 "used ring 0x%llx\n"
                 "transport: Status: 0x0f ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK\n",
                 (unsigned long long)machine.device->features,
                 (unsigned long long)queue->descriptors, (unsigned long long)queue->available,
                 (unsigned long long)queue->used);
}

/* A request in three buffers; returns the address of the first. */
static uint64_t offer_read(uint64_t sector)
{
    struct virtio_blk_outhdr header = {htole32(VIRTIO_BLK_T_IN), 0, htole64(sector)};
    uint64_t at = fake_allocate(&machine, 16 + 512 + 16);
    const struct fake_buffer buffers[] = {
        {at, 16, false}, {at + 16, 512, true}, {at + 16 + 512, 1, true}};

    memcpy(fake_at(&machine, at), &header, sizeof(header));
    fake_add(&machine, 0, buffers, 3);
    return at;
}

static void a_request_is_traced_from_notification_to_notification(void **state)
{
    unsigned long long at;

    (void)state;
    create_disk(0);
    fake_trace(&machine);
    at = offer_read(3);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 100));
    assert_trace("requestq: available buffer notification (QueueNotify = 0)\n"
                 "requestq: takes chain with head 0, available ring index 0\n"
                 "requestq:   descriptor: address 0x%llx, length 16, device-readable, NEXT\n"
                 "requestq:   descriptor: address 0x%llx, length 512, device-writable, NEXT\n"
                 "requestq:   descriptor: address 0x%llx, length 1, device-writable\n"
                 "requestq: VIRTIO_BLK_T_IN (0), sector 3, 512 bytes: VIRTIO_BLK_S_OK\n"
                 "requestq: used: head 0, length 513, used ring index 0\n"
                 "requestq: used buffer notification: interrupt\n",
                 at, at + 16, at + 16 + 512);
}

static void a_suppressed_notification_is_traced(void **state)
{
    const char *trace;

    (void)state;
    create_disk(EVENT_IDX);
    /* used_event, after the available ring: not before the third used buffer. */
    store_le16((uint8_t *)fake_at(&machine, machine.queues[0].available) + 4 + 2 * QUEUE_SIZE, 2);
    offer_read(SECTORS); /* after the end */
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 100));
    trace = fake_trace(&machine);
    assert_non_null(strstr(trace, "sector 8, 512 bytes: VIRTIO_BLK_S_IOERR\n"));
    assert_non_null(
        strstr(trace, "used buffer notification suppressed by the driver (used_event)"));
    assert_null(strstr(trace, "notification: interrupt"));
}

static void an_indirect_table_is_traced(void **state)
{
    uint64_t table;
    uint64_t data;

    (void)state;
    create_disk(INDIRECT);
    fake_trace(&machine);
    table = fake_allocate(&machine, 32);
    data = fake_allocate(&machine, 32);
    memset(fake_at(&machine, data), 0xff, 16); /* unknown type */
    fake_descriptor(&machine, 0, table, 0, data, 16, VRING_DESC_F_NEXT, 1);
    fake_descriptor(&machine, 0, table, 1, data + 16, 1, VRING_DESC_F_WRITE, 0);
    fake_descriptor(&machine, 0, 0, 2, table, 32, VRING_DESC_F_INDIRECT, 0);
    fake_offer(&machine, 0, 2);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 100));
    assert_trace("requestq: available buffer notification (QueueNotify = 0)\n"
                 "requestq: takes chain with head 2, available ring index 0\n"
                 "requestq:   descriptor: address 0x%llx, length 32, an indirect table of 2\n"
                 "requestq:     descriptor: address 0x%llx, length 16, device-readable, NEXT\n"
                 "requestq:     descriptor: address 0x%llx, length 1, device-writable\n"
                 "requestq: VIRTIO_BLK_T_? (4294967295), sector 18446744073709551615, 0 bytes: "
                 "VIRTIO_BLK_S_UNSUPP\n"
                 "requestq: used: head 2, length 1, used ring index 0\n"
                 "requestq: used buffer notification: interrupt\n",
                 (unsigned long long)table, (unsigned long long)data,
                 (unsigned long long)data + 16);
}

static void a_broken_driver_is_traced(void **state)
{
    (void)state;
    create_disk(0);
    fake_offer(&machine, 0, 999);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 100));
    assert_non_null(strstr(fake_trace(&machine), "transport: DEVICE_NEEDS_RESET: a bad request"));
}

static void packets_are_traced_both_ways(void **state)
{
    char directory[] = "/tmp/microvm-test-XXXXXX";
    struct vsock_backend backend;
    const struct vsock_packet packet = {
        .src_cid = 7,
        .dst_cid = VSOCK_HOST_CID,
        .src_port = 11,
        .dst_port = 22,
        .len = 3,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .op = VIRTIO_VSOCK_OP_RW,
        .buf_alloc = 99,
        .fwd_cnt = 5,
    };
    struct virtio_vsock_hdr header = vsock_packet_encode(&packet);
    struct virtio_device *device = NULL;
    struct fake_buffer buffer = {0, 64, true};
    const char *trace;

    (void)state;
    assert_non_null(mkdtemp(directory));
    backend = fake_vsock_backend(directory, 7);
    assert_int_equal(vsock_create(&backend, &device, NULL), 0);
    fake_machine_create_telling(&machine, device);
    fake_start(&machine, 0, QUEUE_SIZE);
    buffer.address = fake_allocate(&machine, 64);
    fake_add(&machine, 0, &buffer, 1);
    buffer = (struct fake_buffer){fake_allocate(&machine, 64), sizeof(header) + 3, false};
    memcpy(fake_at(&machine, buffer.address), &header, sizeof(header));
    fake_add(&machine, 1, &buffer, 1);
    fake_notify(&machine, 1);
    assert_true(fake_run(&machine, 100));
    trace = fake_trace(&machine);
    assert_non_null(strstr(trace, "tx: VIRTIO_VSOCK_OP_RW (5), from 7:11 to 2:22, payload 3, "
                                  "buf_alloc 99, fwd_cnt 5, flags 0\n"));
    assert_non_null(strstr(trace, "rx: VIRTIO_VSOCK_OP_RST (3), from 2:22 to 7:11, payload 0,"));
    assert_non_null(strstr(trace, "rx: used: head 0, length 44, used ring index 0\n"));
    fake_machine_destroy(&machine);
    fake_vsock_forget(directory);
    assert_int_equal(rmdir(directory), 0);
}

/* ---- doorbell ---- */

static void ignore_mark(void *opaque, uint32_t mark)
{
    (void)opaque;
    (void)mark;
}

static void keep_line(void *opaque, const char *line)
{
    snprintf(opaque, 80, "%s", line);
}

static void doorbell_calls_are_traced(void **state)
{
    char line[80];
    struct doorbell doorbell = {.host = {.opaque = line, .mark = ignore_mark, .trace = keep_line}};
    static const struct {
        uint32_t value;
        const char *line;
    } cases[] = {
        {0x101, "write of 0x00000101 = mark 1 \"init\""},
        {0x401, "write of 0x00000401 = mark 4 \"exit\""},
        {0xffffff01, "write of 0xffffff01 = mark 16777215"},
        {0, "write of 0x00000000 = null call 0"},
        {0x2a7f, "write of 0x00002a7f = unknown call 42"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t data[4];

        store_le32(data, cases[i].value);
        doorbell_write(&doorbell, data, 4);
        assert_string_equal(line, cases[i].line);
    }
}

/* ---- the pipe ---- */

static size_t read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t count;

    while (used < size && (count = read(fd, text + used, size - used)) > 0)
        used += (size_t)count;
    text[used] = '\0';
    return used;
}

static void lines_that_nobody_reads_are_left_out_and_counted(void **state)
{
    static char text[1 << 17];
    static char line[2000];
    struct trace_pipe trace_pipe;
    unsigned long lines = 0;
    int ends[2];
    char *last;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    trace_pipe_init(&trace_pipe, ends[1]);
    memset(line, 'x', sizeof(line) - 1);
    for (unsigned i = 0; i < 1000; i++)
        trace_pipe_write(&trace_pipe, "who", line);
    read_all(ends[0], text, sizeof(text) - 1);
    for (char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_in_range(lines, 1, 999);
    assert_int_equal(trace_pipe.left_out, 1000 - lines);
    assert_int_equal(trace_pipe.lost, 1000 - lines);
    assert_int_equal(text[strlen(text) - 1], '\n'); /* none is split */

    trace_pipe_write(&trace_pipe, "who", "short");
    read_all(ends[0], text, sizeof(text) - 1);
    snprintf(line, sizeof(line), "(%lu lines dropped: not read in time)\n", 1000 - lines);
    assert_memory_equal(text, line, strlen(line));
    last = text + strlen(line);
    assert_string_equal(strstr(last, " ms  ") + 5, "who short\n");

    close(ends[0]);
    trace_pipe_write(&trace_pipe, "who", "to nobody");
    assert_int_equal(trace_pipe.fd, -1);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_up_is_traced),
        TEST(a_request_is_traced_from_notification_to_notification),
        TEST(a_suppressed_notification_is_traced),
        TEST(an_indirect_table_is_traced),
        TEST(a_broken_driver_is_traced),
        cmocka_unit_test(packets_are_traced_both_ways),
        cmocka_unit_test(doorbell_calls_are_traced),
        cmocka_unit_test(lines_that_nobody_reads_are_left_out_and_counted),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
