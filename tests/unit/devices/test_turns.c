/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No request blocks the I/O loop: the work of one turn is bounded, a larger request continues in
 * the next one, and a reset discards it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "devices/block/dirty.h"
#include "devices/console/console.h"
#include "devices/entropy/entropy.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define MIB        (1U << 20)
#define BUFFERS    200U /* of one request, MIB each: the same memory again and again */
#define DISK_SIZE  (UINT64_C(1) << 32)
#define TURN_BYTES (VIRTIO_TURN_BYTES + VIRTIO_SLICE_MAX) /* the most that one turn moves */
#define NO_STATUS  0xee
#define DATA       0x80000U /* of the low region, MIB bytes */

static struct fake_machine machine;
static int file;
static uint64_t header_at; /* of the request offered last */

static void begin_block(int fd)
{
    struct block_backend backend = {.fd = fd, .serial = "turns"};
    struct virtio_device *device = NULL;

    log_configure(-1, LOG_LEVEL_ERROR);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, DISK_SIZE), 0);
    file = dup(fd);
    assert_int_equal(block_create(&backend, &device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 256);
}

static void begin_sparse_block(void)
{
    begin_block(memfd_create("sparse", MFD_CLOEXEC));
}

static void end(void)
{
    fake_machine_destroy(&machine);
    close(file);
}

static struct virtio_mmio_counts counts(void)
{
    struct virtio_mmio_counts now;

    virtio_mmio_get_counts(machine.mmio, &now);
    return now;
}

/* Offers a request with `count` buffers of data, of `size` bytes each. Returns its status byte. */
static uint8_t *offer(uint32_t type, uint64_t sector, unsigned count, uint32_t size, uint64_t data)
{
    struct virtio_blk_outhdr header = {htole32(type), 0, htole64(sector)};
    uint64_t status_at = fake_allocate(&machine, 1);
    struct fake_buffer buffers[BUFFERS + 2];

    header_at = fake_allocate(&machine, sizeof(header));
    memcpy(fake_at(&machine, header_at), &header, sizeof(header));
    *(uint8_t *)fake_at(&machine, status_at) = NO_STATUS;
    buffers[0] = (struct fake_buffer){header_at, sizeof(header), false};
    for (unsigned i = 0; i < count; i++)
        buffers[1 + i] = (struct fake_buffer){data, size, type == VIRTIO_BLK_T_IN};
    buffers[1 + count] = (struct fake_buffer){status_at, 1, true};
    fake_add(&machine, 0, buffers, count + 2);
    return fake_at(&machine, status_at);
}

/* One round of the loop at a time, each of which is at most one turn. Returns how many it took. */
static unsigned run_in_turns(void)
{
    uint64_t before = counts().bytes;
    unsigned turns = 1;

    for (; !fake_run(&machine, 1); turns++) {
        uint64_t now = counts().bytes;

        assert_true(now - before <= TURN_BYTES);
        before = now;
        assert_true(turns < 100000);
    }
    return turns;
}

static void a_large_read_or_write_takes_many_turns(void **state)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
        const uint8_t *status;
        uint32_t head = 0;
        uint32_t size = 0;
        unsigned turns;

        begin_sparse_block();
        status = offer(types[i], 8, BUFFERS, MIB, DATA);
        fake_notify(&machine, 0);
        assert_false(fake_run(&machine, 1));
        assert_int_equal(*status, NO_STATUS);
        assert_in_range(counts().bytes, 1, TURN_BYTES);
        turns = run_in_turns();
        assert_true(turns >= (uint64_t)BUFFERS * MIB / TURN_BYTES);
        assert_int_equal(*status, VIRTIO_BLK_S_OK);
        assert_int_equal(counts().bytes, (uint64_t)BUFFERS * MIB); /* none twice, none missing */
        assert_true(counts().yields >= turns - 2);
        assert_true(fake_pop(&machine, 0, &head, &size));
        assert_int_equal(size, types[i] == VIRTIO_BLK_T_IN ? BUFFERS * MIB + 1 : 1);
        end();
    }
}

/* Each sector holds its number, so that a misplaced slice is detected. */
static void slices_meet(void **state)
{
    uint64_t number;
    uint32_t size = 9 * (MIB / 16);
    const uint8_t *status;

    (void)state;
    begin_sparse_block();
    for (uint64_t i = 0; i < 16U * size / 512; i++) {
        number = i;
        assert_int_equal(pwrite(file, &number, 8, (off_t)(i * 512)), 8);
    }
    status = offer(VIRTIO_BLK_T_IN, 0, 16, size, DATA); /* the last buffer's bytes stay */
    fake_notify(&machine, 0);
    run_in_turns();
    assert_int_equal(*status, VIRTIO_BLK_S_OK);
    for (uint64_t i = 0; i < size / 512; i++) {
        memcpy(&number, (uint8_t *)fake_at(&machine, DATA) + i * 512, 8);
        assert_int_equal(number, 15 * size / 512 + i);
    }
    end();
}

static void many_requests_share_turns(void **state)
{
    uint8_t *status[60];

    (void)state;
    begin_sparse_block();
    for (unsigned i = 0; i < ARRAY_LENGTH(status); i++)
        status[i] = offer(VIRTIO_BLK_T_IN, 0, 2, MIB, DATA);
    fake_notify(&machine, 0);
    assert_false(fake_run(&machine, 1));
    assert_in_range(counts().bytes, 1, TURN_BYTES);
    run_in_turns();
    for (unsigned i = 0; i < ARRAY_LENGTH(status); i++)
        assert_int_equal(*status[i], VIRTIO_BLK_S_OK);
    end();
}

/* A reset, or a queue that is set up anew, in the middle: the next request is whole. */
static void a_reset_forgets_what_was_done(void **state)
{
    uint8_t pattern[512];
    const uint8_t *status;

    (void)state;
    begin_sparse_block();
    memset(pattern, 'p', sizeof(pattern));
    assert_int_equal(pwrite(file, pattern, 512, 0), 512);
    for (unsigned round = 0; round < 2; round++) {
        offer(VIRTIO_BLK_T_IN, 0, BUFFERS, MIB, DATA);
        fake_notify(&machine, 0);
        assert_false(fake_run(&machine, 2));
        machine.next_free = 4096;
        if (round == 0) {
            fake_start(&machine, 0, 256);
        } else {
            fake_write(&machine, VIRTIO_MMIO_QUEUE_SEL, 0);
            fake_write(&machine, VIRTIO_MMIO_QUEUE_READY, 0);
            fake_queue_setup(&machine, 0, 256);
        }
        memset(fake_at(&machine, DATA), 0, 512);
        status = offer(VIRTIO_BLK_T_IN, 0, 1, 512, DATA);
        fake_notify(&machine, 0);
        run_in_turns();
        assert_int_equal(*status, VIRTIO_BLK_S_OK);
        assert_memory_equal(fake_at(&machine, DATA), pattern, 512);
    }
    end();
}

/* The chain that goes on is another one: it is looked at again, and nothing of it is believed. */
static void a_chain_that_changes_between_turns_is_survived(void **state)
{
    static const uint32_t sizes[] = {512, 1, MIB};
    static const uint32_t types[] = {VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_IN, 99};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(sizes) * ARRAY_LENGTH(types); i++) {
        const uint8_t *status;

        begin_sparse_block();
        status = offer(VIRTIO_BLK_T_IN, 0, BUFFERS, MIB, DATA);
        fake_notify(&machine, 0);
        assert_false(fake_run(&machine, 1));
        fake_descriptor(&machine, 0, 0, 1, DATA, sizes[i % ARRAY_LENGTH(sizes)], 2 | 1,
                        BUFFERS + 1); /* one buffer, then the status */
        store_le32(fake_at(&machine, header_at), types[i / ARRAY_LENGTH(sizes)]);
        run_in_turns();
        assert_int_not_equal(*status, NO_STATUS);
        end();
    }
}

static void clearing_takes_turns(void **state)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};
    const uint32_t sectors = 1U << 17; /* 64 MiB, the most of a range */

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
        struct virtio_blk_discard_write_zeroes ranges[16];
        uint8_t byte = 'x';
        const uint8_t *status;
        uint64_t at;

        begin_sparse_block();
        for (unsigned r = 0; r < 16; r++) {
            uint64_t sector = (uint64_t)r * 2 * sectors + 8;

            ranges[r] = (struct virtio_blk_discard_write_zeroes){
                htole64(sector), htole32(sectors),
                htole32(i ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0)};
            assert_int_equal(pwrite(file, &byte, 1, (off_t)(sector * 512 - 1)), 1);
            assert_int_equal(pwrite(file, &byte, 1, (off_t)(sector * 512)), 1);
            assert_int_equal(pwrite(file, &byte, 1, (off_t)((sector + sectors) * 512 - 1)), 1);
            if (r < 15)
                assert_int_equal(pwrite(file, &byte, 1, (off_t)((sector + sectors) * 512)), 1);
        }
        at = fake_allocate(&machine, sizeof(ranges));
        memcpy(fake_at(&machine, at), ranges, sizeof(ranges));
        status = offer(types[i], 0, 1, sizeof(ranges), at);
        fake_notify(&machine, 0);
        assert_false(fake_run(&machine, 1));
        assert_int_equal(*status, NO_STATUS);
        run_in_turns();
        assert_int_equal(*status, VIRTIO_BLK_S_OK);
        /* 17 slices of at most 4 MiB a range, 16 of them in a turn of 4 MiB of cost. */
        assert_true(counts().yields >= 16);
        for (unsigned r = 0; r < 16; r++) {
            uint64_t begin = le64toh(ranges[r].sector) * 512;
            uint64_t end_at = begin + (uint64_t)sectors * 512;

            assert_true(pread(file, &byte, 1, (off_t)begin) == 1 && byte == 0);
            assert_true(pread(file, &byte, 1, (off_t)end_at - 1) == 1 && byte == 0);
            assert_true(pread(file, &byte, 1, (off_t)begin - 1) == 1 && byte == 'x');
            if (r < 15)
                assert_true(pread(file, &byte, 1, (off_t)end_at) == 1 && byte == 'x');
        }
        end();
    }
}

/* A bad range among good ones: nothing of the request is done. */
static void ranges_are_checked_before_any_is_cleared(void **state)
{
    const struct virtio_blk_discard_write_zeroes ranges[] = {
        {htole64(0), htole32(8), 0}, {htole64(DISK_SIZE / 512), htole32(8), 0}};
    uint64_t at;
    uint8_t byte = 'x';
    const uint8_t *status;

    (void)state;
    begin_sparse_block();
    assert_int_equal(pwrite(file, &byte, 1, 0), 1);
    at = fake_allocate(&machine, sizeof(ranges));
    memcpy(fake_at(&machine, at), ranges, sizeof(ranges));
    status = offer(VIRTIO_BLK_T_DISCARD, 0, 1, sizeof(ranges), at);
    fake_notify(&machine, 0);
    run_in_turns();
    assert_int_equal(*status, VIRTIO_BLK_S_IOERR);
    assert_true(pread(file, &byte, 1, 0) == 1 && byte == 'x');
    end();
}

/* What was written to many places is flushed place by place. */
static void a_flush_takes_turns(void **state)
{
    char path[] = "/tmp/microvm-turns-XXXXXX";
    const uint8_t *status;

    (void)state;
    begin_block(mkostemp(path, O_CLOEXEC));
    for (unsigned i = 0; i < 64; i++) {
        status = offer(VIRTIO_BLK_T_OUT, i * UINT64_C(65536), 1, 512, DATA);
        fake_notify(&machine, 0);
        run_in_turns();
        assert_int_equal(*status, VIRTIO_BLK_S_OK);
    }
    status = offer(VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0);
    fake_notify(&machine, 0);
    assert_false(fake_run(&machine, 1));
    assert_int_equal(*status, NO_STATUS);
    while (!fake_run(&machine, 1))
        ;
    assert_int_equal(*status, VIRTIO_BLK_S_OK);
    assert_true(counts().yields >= 60);
    status = offer(VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0); /* nothing is left */
    fake_notify(&machine, 0);
    fake_run(&machine, 1);
    assert_int_equal(*status, VIRTIO_BLK_S_OK);
    end();
    unlink(path);
}

/* A file without a name is read by nobody after its machine: nothing has to reach the platter. */
static void a_nameless_disk_is_not_flushed(void **state)
{
    const uint8_t *status;

    (void)state;
    begin_sparse_block();
    for (unsigned i = 0; i < 64; i++)
        status = offer(VIRTIO_BLK_T_OUT, i * UINT64_C(65536), 1, 512, DATA);
    fake_notify(&machine, 0);
    run_in_turns();
    status = offer(VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0);
    fake_notify(&machine, 0);
    fake_run(&machine, 1);
    assert_int_equal(*status, VIRTIO_BLK_S_OK);
    end();
}

static void marks_of_written_parts(void **state)
{
    struct dirty *dirty = malloc(sizeof(*dirty));
    uint64_t offset = 0;

    (void)state;
    assert_non_null(dirty);
    dirty_init(dirty, UINT64_C(128) << 30);
    assert_int_equal(dirty->part_size, 4 * MIB);
    assert_false(dirty_take(dirty, &offset));
    dirty_mark(dirty, 4 * MIB - 1, 2); /* both sides of a border */
    dirty_mark(dirty, 0, 512);
    dirty_mark(dirty, (UINT64_C(128) << 30) - 1, 1); /* the last byte of the disk */
    dirty_mark(dirty, 12345, 0);
    assert_int_equal(dirty->count, 3);
    assert_true(dirty_take(dirty, &offset) && offset == 0);
    assert_true(dirty_take(dirty, &offset) && offset == 4 * MIB);
    assert_true(dirty_take(dirty, &offset) && offset == (UINT64_C(128) << 30) - 4 * MIB);
    assert_false(dirty_take(dirty, &offset));
    dirty_mark(dirty, 0, 1); /* before the place where it looks next */
    assert_true(dirty_take(dirty, &offset) && offset == 0);
    dirty_init(dirty, UINT64_MAX / 2); /* the largest file */
    dirty_mark(dirty, UINT64_MAX / 2 - 1, 1);
    assert_true(dirty_take(dirty, &offset) && offset < UINT64_MAX / 2);
    free(dirty);
}

/* ---- the others ---- */

/* A reader as fast as its writer: 200 MiB of one buffer would all be written in one turn. */
static void console_output_takes_turns(void **state)
{
    struct console_backend backend = {.input_fd = -1,
                                      .output_fd = memfd_create("output", MFD_CLOEXEC)};
    struct fake_buffer buffers[BUFFERS];
    struct virtio_device *device = NULL;
    uint32_t head;
    uint32_t size;

    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < BUFFERS; i++)
        buffers[i] = (struct fake_buffer){DATA, MIB / 4, false};
    assert_int_equal(console_create(&backend, &device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 64);
    fake_add(&machine, 1, buffers, 64);
    fake_notify(&machine, 1);
    assert_false(fake_run(&machine, 1));
    assert_in_range(counts().bytes, 1, TURN_BYTES);
    run_in_turns();
    assert_true(fake_pop(&machine, 1, &head, &size));
    assert_int_equal(lseek(backend.output_fd, 0, SEEK_END), 64 * (MIB / 4));
    fake_machine_destroy(&machine);
    close(backend.output_fd);
}

/* Without a reader at all it is the same. */
static void console_output_for_nobody_takes_turns(void **state)
{
    struct console_backend backend = {.input_fd = -1, .output_fd = -1};
    struct fake_buffer buffers[64];
    struct virtio_device *device = NULL;

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        buffers[i] = (struct fake_buffer){DATA, MIB, false};
    assert_int_equal(console_create(&backend, &device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 64);
    fake_add(&machine, 1, buffers, 64);
    fake_notify(&machine, 1);
    assert_false(fake_run(&machine, 1));
    assert_in_range(counts().bytes, 1, TURN_BYTES);
    assert_true(run_in_turns() >= 64U * MIB / TURN_BYTES);
    fake_machine_destroy(&machine);
}

/* Whatever the size of a buffer, a chain of it gets 4 KiB, and a turn so many chains. */
static void entropy_takes_turns(void **state)
{
    const struct fake_buffer buffer = {DATA, MIB, true};
    struct virtio_device *device = NULL;

    (void)state;
    assert_int_equal(entropy_create(&device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 16);
    for (unsigned i = 0; i < 16; i++)
        fake_add(&machine, 0, &buffer, 1);
    fake_notify(&machine, 0);
    fake_run(&machine, 1);
    assert_in_range(counts().bytes, 1, 16 * 4096);
    fake_machine_destroy(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_read_or_write_takes_many_turns),
        cmocka_unit_test(slices_meet),
        cmocka_unit_test(many_requests_share_turns),
        cmocka_unit_test(a_reset_forgets_what_was_done),
        cmocka_unit_test(a_chain_that_changes_between_turns_is_survived),
        cmocka_unit_test(clearing_takes_turns),
        cmocka_unit_test(ranges_are_checked_before_any_is_cleared),
        cmocka_unit_test(a_flush_takes_turns),
        cmocka_unit_test(a_nameless_disk_is_not_flushed),
        cmocka_unit_test(marks_of_written_parts),
        cmocka_unit_test(console_output_takes_turns),
        cmocka_unit_test(console_output_for_nobody_takes_turns),
        cmocka_unit_test(entropy_takes_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
