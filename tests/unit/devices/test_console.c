/* SPDX-License-Identifier: Apache-2.0 */
/* The console between a driver and real pipes and sockets. */
#include <stdlib.h>

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/console/console.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

enum { INPUT_QUEUE, OUTPUT_QUEUE };

static struct fake_machine machine;
static int ends[2]; /* ours, the device's */
static size_t tee_size;
static uint32_t tee_sum;

static void note(void *opaque, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    (void)opaque;
    for (size_t i = 0; i < size; i++)
        tee_sum = tee_sum * 31 + bytes[i];
    tee_size += size;
}

static void create(int input_fd, int output_fd)
{
    struct console_backend backend = {input_fd, output_fd, note, NULL};
    struct virtio_device *device = NULL;

    log_configure(-1, LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    tee_size = 0;
    tee_sum = 0;
    assert_int_equal(console_create(&backend, &device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 16);
}

/* One socket for both directions, as a client's terminal has. */
static int begin(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    create(ends[1], ends[1]);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_machine_destroy(&machine);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void put(const void *data, uint32_t size)
{
    struct fake_buffer buffer = {fake_allocate(&machine, size), size, false};

    memcpy(fake_at(&machine, buffer.address), data, size);
    fake_add(&machine, OUTPUT_QUEUE, &buffer, 1);
    fake_notify(&machine, OUTPUT_QUEUE);
    assert_true(fake_run(&machine, 100));
}

static uint64_t offer_input(uint32_t size)
{
    struct fake_buffer buffer = {fake_allocate(&machine, size), size, true};

    fake_add(&machine, INPUT_QUEUE, &buffer, 1);
    fake_notify(&machine, INPUT_QUEUE);
    assert_true(fake_run(&machine, 100));
    return buffer.address;
}

static void expect_used(unsigned queue, uint32_t size)
{
    uint32_t head = 0;
    uint32_t used = 0;

    assert_true(fake_pop(&machine, queue, &head, &used));
    assert_int_equal(used, size);
}

static void output_arrives(void **state)
{
    char text[16];

    (void)state;
    put("hello", 5);
    assert_int_equal(read(ends[0], text, sizeof(text)), 5);
    assert_memory_equal(text, "hello", 5);
    expect_used(OUTPUT_QUEUE, 0);
    assert_int_equal(tee_size, 5);
    assert_true(machine.interrupts > 0);
}

static void input_arrives(void **state)
{
    uint64_t at = offer_input(8);
    uint32_t head = 0;
    uint32_t used = 0;

    (void)state;
    assert_false(fake_pop(&machine, INPUT_QUEUE, &head, &used));
    assert_int_equal(write(ends[0], "0123456789", 10), 10);
    assert_true(fake_run(&machine, 100));
    expect_used(INPUT_QUEUE, 8);
    assert_memory_equal(fake_at(&machine, at), "01234567", 8);
    at = offer_input(8); /* the rest has to wait */
    expect_used(INPUT_QUEUE, 2);
    assert_memory_equal(fake_at(&machine, at), "89", 2);
}

static void input_without_room_is_not_watched(void **state)
{
    (void)state;
    assert_int_equal(write(ends[0], "0123456789", 10), 10);
    assert_true(fake_run(&machine, 100));
    assert_int_equal(fake_watched(&machine, ends[1]), 0);
    offer_input(10);
    offer_input(10);
    assert_int_equal(fake_watched(&machine, ends[1]), EPOLLIN);
}

/* Output of many sizes through a stream that is mostly full: each byte once, in order. */
static void a_full_stream_makes_the_queue_wait(void **state)
{
    enum { CHUNK = 40000, CHUNKS = 40 };
    uint64_t at = fake_allocate(&machine, CHUNK);
    uint8_t *data = fake_at(&machine, at);
    unsigned added = 0;
    size_t received = 0;
    uint32_t sum = 0;
    uint32_t expected = 0;
    uint8_t bytes[3000];
    uint32_t head = 0;
    uint32_t used = 0;
    bool waited = false;

    (void)state;
    for (unsigned i = 0; i < CHUNK; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    for (unsigned i = 0; i < CHUNK * CHUNKS; i++)
        expected = expected * 31 + data[i % CHUNK];
    for (unsigned turn = 0; received < CHUNK * CHUNKS && turn < 10000; turn++) {
        ssize_t got;

        while (added < CHUNKS && (uint16_t)(machine.queues[OUTPUT_QUEUE].available_index -
                                            machine.queues[OUTPUT_QUEUE].seen_used) < 8) {
            const struct fake_buffer buffers[] = {{at, 1000, false}, {at + 1000, 39000, false}};

            fake_add(&machine, OUTPUT_QUEUE, buffers, 2);
            added++;
        }
        fake_notify(&machine, OUTPUT_QUEUE);
        assert_true(
            fake_run(&machine, 100)); /* it is idle: no busy loop while the stream is full */
        waited |= fake_watched(&machine, ends[1]) & EPOLLOUT;
        got = read(ends[0], bytes, sizeof(bytes));
        for (ssize_t i = 0; i < got; i++)
            sum = sum * 31 + bytes[i];
        received += got > 0 ? (size_t)got : 0;
        while (fake_pop(&machine, OUTPUT_QUEUE, &head, &used))
            ;
    }
    assert_int_equal(received, CHUNK * CHUNKS);
    assert_int_equal(sum, expected);
    assert_true(waited);
    assert_int_equal(tee_size, received);
    assert_int_equal(tee_sum, sum);
}

/* Puts more than the socket takes; the reader takes it all later. */
static void fill_the_socket(void)
{
    uint8_t *data = calloc(1, 1000000);

    assert_non_null(data);
    put(data, 1000000);
    free(data);
    assert_int_equal(fake_watched(&machine, ends[1]), EPOLLOUT);
}

static void empty_the_socket(void)
{
    char bytes[4096];

    while (read(ends[0], bytes, sizeof(bytes)) > 0)
        assert_true(fake_run(&machine, 100));
}

/* The end of the input leaves the watch for room of the same socket in order. */
static void input_ends_while_output_waits(void **state)
{
    (void)state;
    fill_the_socket();
    shutdown(ends[0], SHUT_WR);
    offer_input(8);
    empty_the_socket();
    assert_true(fake_run(&machine, 100));
    expect_used(OUTPUT_QUEUE, 0);
    assert_int_equal(machine.watch_count, 0); /* else a busy loop */
}

static void a_bad_chain_after_a_full_stream_ends_its_watch(void **state)
{
    (void)state;
    fill_the_socket();
    fake_offer(&machine, OUTPUT_QUEUE, 99);
    empty_the_socket();
    assert_true(fake_read(&machine, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
    assert_true(fake_run(&machine, 100));
    assert_int_equal(fake_watched(&machine, ends[1]), 0);
}

static void output_after_the_reader_is_discarded(void **state)
{
    (void)state;
    close(ends[0]);
    ends[0] = -1;
    put("nobody", 6);
    put("hears", 5);
    expect_used(OUTPUT_QUEUE, 0);
    expect_used(OUTPUT_QUEUE, 0);
    assert_int_equal(tee_size, 11);
    offer_input(8);
    assert_int_equal(machine.watch_count, 0); /* a stream that has ended is not used */
}

static void no_streams_at_all_work(void **state)
{
    (void)state;
    create(-1, -1);
    put("into the log only", 17);
    offer_input(8);
    assert_int_equal(tee_size, 17);
    assert_int_equal(machine.watch_count, 0);
    fake_machine_destroy(&machine);
}

static void a_file_is_read_as_input_to_its_end(void **state)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    uint64_t at;

    (void)state;
    assert_int_equal(write(fd, "script", 6), 6);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    create(fd, -1);
    at = offer_input(64);
    expect_used(INPUT_QUEUE, 6);
    assert_memory_equal(fake_at(&machine, at), "script", 6);
    offer_input(64);
    fake_machine_destroy(&machine);
    close(fd);
}

/* Further output of the guest does not repeat the message. */
static void an_error_of_the_stream_is_reported_once(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int log = memfd_create("log", MFD_CLOEXEC);
    char text[256] = "";

    (void)state;
    assert_true(full >= 0 && log >= 0);
    create(-1, full);
    log_configure(log, LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < 3; i++) {
        put("lost", 4);
        expect_used(OUTPUT_QUEUE, 0);
    }
    log_configure(-1, LOG_LEVEL_ERROR);
    assert_true(pread(log, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "console: cannot write the guest's output: No space left"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one line */
    assert_int_equal(tee_size, 12);
    fake_machine_destroy(&machine);
    close(full);
    close(log);
}

static void a_new_size_is_reported(void **state)
{
    struct virtio_console_config config;

    (void)state;
    console_set_size(machine.device, 80, 25);
    virtio_mmio_read(machine.mmio, VIRTIO_MMIO_CONFIG, &config, sizeof(config));
    assert_int_equal(le16toh(config.cols), 80);
    assert_int_equal(le16toh(config.rows), 25);
    assert_int_equal(le32toh(config.max_nr_ports), 1);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
}

static void a_reset_forgets_what_was_under_way(void **state)
{
    char text[8];
    uint8_t *data;

    (void)state;
    data = calloc(1, 1000000);
    assert_non_null(data);
    put(data, 1000000); /* more than the socket takes */
    assert_int_equal(fake_watched(&machine, ends[1]), EPOLLOUT);
    free(data);
    machine.next_free = 4096;
    fake_start(&machine, 0, 16);
    assert_int_equal(fake_watched(&machine, ends[1]), 0);
    while (read(ends[0], text, sizeof(text)) > 0)
        ;
    put("anew", 4);
    assert_int_equal(read(ends[0], text, sizeof(text)), 4);
    assert_memory_equal(text, "anew", 4);
}

static void state_survives_a_round_trip(void **unused)
{
    size_t size = virtio_mmio_state_size(machine.mmio);
    uint8_t *state = malloc(size);
    uint8_t *again = malloc(size);

    (void)unused;
    assert_true(state && again);
    console_set_size(machine.device, 132, 43);
    virtio_mmio_save(machine.mmio, state);
    console_set_size(machine.device, 1, 1);
    assert_int_equal(virtio_mmio_load(machine.mmio, state, NULL), 0);
    virtio_mmio_save(machine.mmio, again);
    assert_memory_equal(state, again, size);
    free(state);
    free(again);
}

static void hostile_chains_fail_the_device(void **state)
{
    const struct fake_buffer readable = {0x100000, 16, false};

    (void)state;
    fake_add(&machine, INPUT_QUEUE, &readable, 1); /* input that cannot be written to */
    fake_notify(&machine, INPUT_QUEUE);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_read(&machine, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
    fake_start(&machine, 0, 16);
    fake_offer(&machine, OUTPUT_QUEUE, 99);
    fake_notify(&machine, OUTPUT_QUEUE);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_read(&machine, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_arrives),
        TEST(input_arrives),
        TEST(input_without_room_is_not_watched),
        TEST(a_full_stream_makes_the_queue_wait),
        TEST(input_ends_while_output_waits),
        TEST(a_bad_chain_after_a_full_stream_ends_its_watch),
        TEST(output_after_the_reader_is_discarded),
        cmocka_unit_test(no_streams_at_all_work),
        cmocka_unit_test(a_file_is_read_as_input_to_its_end),
        cmocka_unit_test(an_error_of_the_stream_is_reported_once),
        TEST(a_new_size_is_reported),
        TEST(a_reset_forgets_what_was_under_way),
        TEST(state_survives_a_round_trip),
        TEST(hostile_chains_fail_the_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
