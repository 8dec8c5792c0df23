/* SPDX-License-Identifier: Apache-2.0 */
/* The block device over a file in memory. */
#include <stdlib.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "devices/block/file_ranges.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define SECTORS      64U
#define NO_STATUS    0xee
#define FEATURE(bit) (1ULL << (bit))

static struct fake_machine machine;
static int file; /* a second descriptor of the disk */

static void create(bool read_only)
{
    int fd = memfd_create("disk", MFD_CLOEXEC);
    struct block_backend backend = {fd, read_only, "serial-of-20-letters"};
    struct virtio_device *device = NULL;

    log_configure(-1, LOG_LEVEL_ERROR);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SECTORS * 512), 0);
    for (uint32_t i = 0; i < SECTORS; i++) {
        char sector[512];

        memset(sector, (int)i, sizeof(sector));
        assert_int_equal(pwrite(fd, sector, sizeof(sector), i * 512), sizeof(sector));
    }
    file = dup(fd);
    assert_int_equal(block_create(&backend, &device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 16);
}

static int begin(void **state)
{
    (void)state;
    create(false);
    return 0;
}

static int begin_read_only(void **state)
{
    (void)state;
    create(true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_machine_destroy(&machine);
    close(file);
    return 0;
}

/* A request of the usual layout; returns the status byte. */
static uint8_t request(uint32_t type, uint64_t sector, uint64_t data, uint32_t size, bool in,
                       uint32_t *used_size)
{
    struct virtio_blk_outhdr header = {htole32(type), 0, htole64(sector)};
    uint64_t header_at = fake_allocate(&machine, sizeof(header));
    uint64_t status_at = fake_allocate(&machine, 1);
    uint8_t *status = fake_at(&machine, status_at);
    struct fake_buffer buffers[3];
    unsigned count = 0;
    uint32_t head = 0;
    uint32_t used = 0;
    uint16_t offered;

    memcpy(fake_at(&machine, header_at), &header, sizeof(header));
    *status = NO_STATUS;
    buffers[count++] = (struct fake_buffer){header_at, sizeof(header), false};
    if (size > 0)
        buffers[count++] = (struct fake_buffer){data, size, in};
    buffers[count++] = (struct fake_buffer){status_at, 1, true};
    offered = fake_add(&machine, 0, buffers, count);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_pop(&machine, 0, &head, &used));
    assert_int_equal(head, offered);
    if (used_size)
        *used_size = used;
    return *status;
}

static void expect_failed(void)
{
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_read(&machine, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* ---- reading and writing ---- */

static void sectors_are_read(void **state)
{
    uint64_t data = fake_allocate(&machine, 1024);
    const uint8_t *bytes = fake_at(&machine, data);
    uint32_t used = 0;

    (void)state;
    assert_int_equal(request(VIRTIO_BLK_T_IN, 5, data, 1024, true, &used), VIRTIO_BLK_S_OK);
    assert_int_equal(used, 1025);
    assert_int_equal(bytes[0], 5);
    assert_int_equal(bytes[511], 5);
    assert_int_equal(bytes[512], 6);
    assert_int_equal(bytes[1023], 6);
}

static void sectors_are_written(void **state)
{
    uint64_t data = fake_allocate(&machine, 1024);
    uint8_t bytes[1024];
    uint32_t used = 0;

    (void)state;
    memset(fake_at(&machine, data), 0xab, 1024);
    assert_int_equal(request(VIRTIO_BLK_T_OUT, 7, data, 1024, false, &used), VIRTIO_BLK_S_OK);
    assert_int_equal(used, 1);
    assert_int_equal(pread(file, bytes, 1024, 7 * 512), 1024);
    assert_memory_equal(bytes, fake_at(&machine, data), 1024);
    assert_int_equal(pread(file, bytes, 1, 9 * 512), 1);
    assert_int_equal(bytes[0], 9);
}

/* Header, data and status need not have separate descriptors. */
static void any_cut_of_a_request_works(void **state)
{
    struct virtio_blk_outhdr header = {htole32(VIRTIO_BLK_T_IN), 0, htole64(3)};
    uint64_t out = fake_allocate(&machine, 32);
    uint64_t in = fake_allocate(&machine, 600);
    const struct fake_buffer buffers[] = {
        {out, 5, false}, {out + 5, 11, false}, {in, 500, true}, {in + 500, 13, true}};
    uint32_t head = 0;
    uint32_t used = 0;

    (void)state;
    memcpy(fake_at(&machine, out), &header, sizeof(header));
    memset(fake_at(&machine, in), NO_STATUS, 600);
    fake_add(&machine, 0, buffers, 4);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_pop(&machine, 0, &head, &used));
    assert_int_equal(used, 513);
    assert_int_equal(((uint8_t *)fake_at(&machine, in))[511], 3);
    assert_int_equal(((uint8_t *)fake_at(&machine, in))[512], VIRTIO_BLK_S_OK);
    assert_int_equal(((uint8_t *)fake_at(&machine, in))[513], NO_STATUS);
}

static void bounds_are_those_of_the_disk(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t size;
        uint8_t status;
    } cases[] = {
        {SECTORS - 1, 512, VIRTIO_BLK_S_OK},
        {SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR},
        {SECTORS, 512, VIRTIO_BLK_S_IOERR},
        {UINT64_MAX, 512, VIRTIO_BLK_S_IOERR},
        {UINT64_MAX / 512, 512, VIRTIO_BLK_S_IOERR},
        {UINT64_MAX / 512 + 1, 512, VIRTIO_BLK_S_IOERR}, /* overflows to 0 */
        {0, 511, VIRTIO_BLK_S_IOERR},
        {0, 513, VIRTIO_BLK_S_IOERR},
    };
    uint64_t data = fake_allocate(&machine, 1024);
    struct stat status;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(request(VIRTIO_BLK_T_IN, cases[i].sector, data, cases[i].size, true, NULL),
                         cases[i].status);
        assert_int_equal(
            request(VIRTIO_BLK_T_OUT, cases[i].sector, data, cases[i].size, false, NULL),
            cases[i].status);
    }
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(status.st_size, SECTORS * 512);
}

static void a_file_that_shrinks_is_an_error(void **state)
{
    uint64_t data = fake_allocate(&machine, 1024);

    (void)state;
    assert_int_equal(ftruncate(file, 512), 0);
    assert_int_equal(request(VIRTIO_BLK_T_IN, 0, data, 1024, true, NULL), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_IN, 0, data, 512, true, NULL), VIRTIO_BLK_S_OK);
}

static void many_requests_are_all_served(void **state)
{
    struct virtio_blk_outhdr header = {htole32(VIRTIO_BLK_T_IN), 0, 0};
    uint64_t header_at = fake_allocate(&machine, 16);
    uint64_t data = fake_allocate(&machine, 513);
    unsigned served = 0;
    uint32_t head = 0;
    uint32_t used = 0;

    (void)state;
    memcpy(fake_at(&machine, header_at), &header, sizeof(header));
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 8; i++) {
            const struct fake_buffer buffers[] = {{header_at, 16, false}, {data, 513, true}};

            fake_add(&machine, 0, buffers, 2);
        }
        fake_notify(&machine, 0);
        assert_true(fake_run(&machine, 10));
        while (fake_pop(&machine, 0, &head, &used))
            served++;
    }
    assert_int_equal(served, 800);
}

/* ---- other requests ---- */

static void flush_and_identification_answer(void **state)
{
    uint64_t data = fake_allocate(&machine, 20);
    uint32_t used = 0;

    (void)state;
    assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, false, NULL), VIRTIO_BLK_S_OK);
    assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, data, 20, true, &used), VIRTIO_BLK_S_OK);
    assert_memory_equal(fake_at(&machine, data), "serial-of-20-letters", 20);
    assert_int_equal(used, 21);
    assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, data, 19, true, NULL), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(99, 0, data, 20, true, NULL), VIRTIO_BLK_S_UNSUPP);
}

static uint8_t clear(uint32_t type, uint64_t sector, uint32_t count, uint32_t flags)
{
    struct virtio_blk_discard_write_zeroes range = {htole64(sector), htole32(count),
                                                    htole32(flags)};
    uint64_t data = fake_allocate(&machine, sizeof(range));

    memcpy(fake_at(&machine, data), &range, sizeof(range));
    return request(type, 0, data, sizeof(range), false, NULL);
}

static void expect_sectors(uint32_t from, uint32_t to, bool zero)
{
    for (uint32_t i = from; i <= to; i++) {
        uint8_t bytes[512];

        assert_int_equal(pread(file, bytes, 512, i * 512), 512);
        assert_int_equal(bytes[0], zero ? 0 : i);
        assert_int_equal(bytes[511], zero ? 0 : i);
    }
}

static void ranges_are_zeroed_and_discarded(void **state)
{
    (void)state;
    assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 1, 2, 0), VIRTIO_BLK_S_OK);
    expect_sectors(1, 2, true);
    expect_sectors(3, 15, false);
    assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 3, 1, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
                     VIRTIO_BLK_S_OK);
    expect_sectors(3, 3, true);
    assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 16, 8, 0), VIRTIO_BLK_S_OK);
    expect_sectors(16, 23, true); /* in a file, discarded ranges read as zero */
    expect_sectors(24, SECTORS - 1, false);
    assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_OK);
}

static void bad_ranges_are_refused(void **state)
{
    uint64_t data = fake_allocate(&machine, 4096);

    (void)state;
    assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 0, 8, 1), VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 4, 8, 2), VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, SECTORS - 1, 2, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, UINT64_MAX, 2, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 0, UINT32_MAX, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, data, 15, false, NULL), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, data, 0, false, NULL), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, data, 17 * 16, false, NULL),
                     VIRTIO_BLK_S_IOERR);
    expect_sectors(0, SECTORS - 1, false);
}

static void zeroes_reach_every_kind_of_file(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(file_write_zeroes(file, 512, 512, true), 0);
    expect_sectors(1, 1, true);
    assert_int_equal(pipe(ends), 0); /* nothing to punch, nowhere to seek */
    assert_true(file_write_zeroes(ends[1], 0, 512, false) < 0);
    close(ends[0]);
    close(ends[1]);
}

static void read_only_disks_stay_as_they_are(void **state)
{
    uint64_t data = fake_allocate(&machine, 512);

    (void)state;
    assert_true(machine.device->features & FEATURE(VIRTIO_BLK_F_RO));
    assert_false(machine.device->features & FEATURE(VIRTIO_BLK_F_DISCARD));
    assert_int_equal(request(VIRTIO_BLK_T_OUT, 1, data, 512, false, NULL), VIRTIO_BLK_S_IOERR);
    assert_int_equal(clear(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(clear(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_IN, 1, data, 512, true, NULL), VIRTIO_BLK_S_OK);
    assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, false, NULL), VIRTIO_BLK_S_OK);
    expect_sectors(0, SECTORS - 1, false);
}

/* ---- the rest ---- */

static void configuration_has_capacity_and_limits(void **state)
{
    struct virtio_blk_config config;

    (void)state;
    virtio_mmio_read(machine.mmio, VIRTIO_MMIO_CONFIG, &config, 60);
    assert_int_equal(le64toh(config.capacity), SECTORS);
    assert_int_equal(le32toh(config.seg_max), 254);
    assert_true(le32toh(config.size_max) >= 65536);
    assert_true(le32toh(config.max_discard_sectors) <= 1U << 17);
    assert_true(le32toh(config.max_write_zeroes_sectors) <= 1U << 17);
    assert_int_equal(le16toh(config.num_queues), 1);
    assert_true(le32toh(config.max_discard_seg) > 0);
    assert_false(machine.device->features & FEATURE(VIRTIO_BLK_F_RO));
}

static void chains_without_header_or_status_fail_the_device(void **state)
{
    const struct fake_buffer shapes[][2] = {
        {{0x100000, 16, false}, {0x100100, 16, false}}, /* nowhere to put the status */
        {{0x100000, 15, false}, {0x100100, 1, true}},   /* a header that is too short */
        {{0x100000, 16, true}, {0x100100, 1, true}},    /* none at all */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        machine.next_free = 4096;
        fake_start(&machine, 0, 16);
        fake_add(&machine, 0, shapes[i], 2);
        expect_failed();
    }
}

static void state_of_another_disk_is_refused(void **unused)
{
    size_t size = virtio_mmio_state_size(machine.mmio);
    uint8_t *state = malloc(size);

    (void)unused;
    assert_non_null(state);
    virtio_mmio_save(machine.mmio, state);
    assert_int_equal(virtio_mmio_load(machine.mmio, state, NULL), 0);
    state[size - 16]++; /* its capacity */
    assert_int_equal(virtio_mmio_load(machine.mmio, state, NULL), -EINVAL);
    free(state);
}

static void unfit_files_are_refused(void **state)
{
    struct block_backend backend = {-1, false, NULL};
    struct virtio_device *device = NULL;
    struct error err = ERROR_INIT;
    int ends[2];

    (void)state;
    assert_int_equal(block_create(&backend, &device, &err), -EBADF);
    backend.fd = memfd_create("small", MFD_CLOEXEC);
    assert_int_equal(ftruncate(backend.fd, 511), 0);
    assert_int_equal(block_create(&backend, &device, &err), -EINVAL);
    assert_non_null(strstr(err.text, "512"));
    assert_int_equal(ftruncate(backend.fd, 5008), 0);
    assert_int_equal(block_create(&backend, &device, &err), -EINVAL);
    assert_non_null(strstr(err.text, "has 5008 bytes, and a guest would not see the last 400"));
    assert_non_null(strstr(err.text, "truncate -s %512 FILE"));
    close(backend.fd);
    assert_int_equal(pipe(ends), 0);
    backend.fd = ends[0];
    assert_int_equal(block_create(&backend, &device, &err), -EINVAL);
    close(ends[0]);
    close(ends[1]);
}

/* Exit status of a process whose disk is a sparse file of 64 sectors, on its own file system of two
 * pages. */
static int write_more_than_there_is_room(void)
{
    struct block_backend backend = {.serial = "sparse"};
    struct virtio_device *device = NULL;
    uint64_t data;

    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/tmp", "tmpfs", 0, "size=8k") < 0)
        return 1;
    backend.fd = open("/tmp/disk", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (backend.fd < 0 || ftruncate(backend.fd, SECTORS * 512) < 0 ||
        block_create(&backend, &device, NULL) < 0)
        return 2;
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 16);
    data = fake_allocate(&machine, SECTORS * 512);
    if (request(VIRTIO_BLK_T_OUT, 0, data, 4096, false, NULL) != VIRTIO_BLK_S_OK)
        return 3;
    if (request(VIRTIO_BLK_T_OUT, 0, data, SECTORS * 512, false, NULL) != VIRTIO_BLK_S_IOERR)
        return 4;
    /* Earlier writes can be read, the rest is zeroes, and the device goes on. */
    if (request(VIRTIO_BLK_T_IN, 0, data, SECTORS * 512, true, NULL) != VIRTIO_BLK_S_OK)
        return 5;
    if (fallocate(backend.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SECTORS * 512) < 0 ||
        request(VIRTIO_BLK_T_OUT, 8, data, 4096, false, NULL) != VIRTIO_BLK_S_OK)
        return 6;
    fake_machine_destroy(&machine);
    return 0;
}

static void a_file_system_that_is_full_fails_the_request_alone(void **state)
{
    int status = -1;
    pid_t pid;

    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(write_more_than_there_is_room());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); /* the number of the failure */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sectors_are_read),
        TEST(sectors_are_written),
        TEST(any_cut_of_a_request_works),
        TEST(bounds_are_those_of_the_disk),
        TEST(a_file_that_shrinks_is_an_error),
        TEST(many_requests_are_all_served),
        TEST(flush_and_identification_answer),
        TEST(ranges_are_zeroed_and_discarded),
        TEST(bad_ranges_are_refused),
        TEST(zeroes_reach_every_kind_of_file),
        cmocka_unit_test(a_file_system_that_is_full_fails_the_request_alone),
        cmocka_unit_test_setup_teardown(read_only_disks_stay_as_they_are, begin_read_only, end),
        TEST(configuration_has_capacity_and_limits),
        TEST(chains_without_header_or_status_fail_the_device),
        TEST(state_of_another_disk_is_refused),
        cmocka_unit_test(unfit_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
