/* SPDX-License-Identifier: Apache-2.0 */
/* The backings of guest memory: it stays out of core dumps, keeps its size, and is shared or
 * not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/machine/memory.h"

/* Whether the mapping that holds `address` has a flag of proc(5), smaps: "dd", do not dump. */
static bool has_flag(const void *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false;
    bool found = false;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        uintptr_t begin;
        uintptr_t end;

        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            here = (uintptr_t)address >= begin && (uintptr_t)address < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line + 8, flag) != NULL;
    }
    fclose(file);
    return found;
}

#define MIB        (UINT64_C(1) << 20)
#define HUGE_PAGE  (2 * MIB)
#define TWO_PIECES (5 * 1024 * MIB) /* more than fits below the registers */

/* A file without a name with `size` bytes, which begins with a mark. */
static int make_file(uint64_t size)
{
    FILE *file = tmpfile();
    int fd;

    assert_non_null(file);
    fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    assert_true(fd >= 0);
    fclose(file);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(pwrite(fd, "template", 8, 0), 8);
    return fd;
}

static void create(uint64_t bytes, enum machine_memory_backing backing,
                   struct machine_memory *memory)
{
    int fd = backing == MACHINE_MEMORY_FILE ? make_file(bytes) : -1;

    memset(memory, 0, sizeof(*memory));
    assert_int_equal(memory_create(bytes, backing, fd, memory, NULL), 0);
    assert_true(memory->guest.count > 0);
    if (fd >= 0)
        close(fd); /* not needed any more */
}

#define BACKINGS (MACHINE_MEMORY_FILE + 1)

static void guest_memory_is_not_dumped(void **state)
{
    (void)state;
    for (enum machine_memory_backing backing = 0; backing < BACKINGS; backing++) {
        struct machine_memory memory;
        const struct guest_memory *guest = &memory.guest;

        create(TWO_PIECES, backing, &memory);
        for (unsigned i = 0; i < guest->count; i++) {
            assert_true(has_flag(guest->regions[i].host, " dd"));
            assert_true(has_flag(guest->regions[i].host + guest->regions[i].size - 1, " dd"));
        }
        memory_destroy(&memory);
    }
}

static void regions_are_adjacent_and_aligned(void **state)
{
    (void)state;
    for (enum machine_memory_backing backing = 0; backing < BACKINGS; backing++) {
        struct machine_memory memory;
        const struct guest_memory *guest = &memory.guest;

        create(TWO_PIECES, backing, &memory);
        assert_int_equal(guest->count, 2);
        assert_int_equal((uintptr_t)guest->regions[0].host % HUGE_PAGE, 0);
        assert_ptr_equal(guest->regions[1].host, guest->regions[0].host + guest->regions[0].size);
        assert_true(guest_memory_offset(guest, 1) == guest->regions[0].size);
        guest->regions[1].host[guest->regions[1].size - 1] = 1; /* the last byte exists */
        memory_destroy(&memory);
    }
}

static void only_anonymous_memory_asks_for_huge_pages(void **state)
{
    (void)state;
    for (enum machine_memory_backing backing = 0; backing < BACKINGS; backing++) {
        struct machine_memory memory;
        bool possible = access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0;

        create(64 * MIB, backing, &memory);
        assert_int_equal(has_flag(memory.guest.regions[0].host, " hg"),
                         backing == MACHINE_MEMORY_ANONYMOUS && possible);
        memory_destroy(&memory);
    }
}

static void only_a_memory_file_is_shared(void **state)
{
    struct machine_memory memory;

    (void)state;
    create(64 * MIB, MACHINE_MEMORY_ANONYMOUS, &memory);
    assert_false(memory.guest.shared);
    memory_destroy(&memory);
    create(64 * MIB, MACHINE_MEMORY_FILE, &memory);
    assert_false(memory.guest.shared);
    memory_destroy(&memory);
}

static void a_memory_file_is_seen_elsewhere_and_keeps_its_size(void **state)
{
    struct machine_memory memory;
    const struct guest_memory *guest = &memory.guest;
    uint8_t *elsewhere;
    int fd;

    (void)state;
    create(TWO_PIECES, MACHINE_MEMORY_MEMFD, &memory);
    assert_true(guest->shared);
    elsewhere = mmap(NULL, guest->regions[1].size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd,
                     (off_t)guest_memory_offset(guest, 1));
    assert_ptr_not_equal(elsewhere, MAP_FAILED);
    guest->regions[1].host[5] = 42;
    assert_int_equal(elsewhere[5], 42);
    elsewhere[6] = 43;
    assert_int_equal(guest->regions[1].host[6], 43);
    assert_int_equal(ftruncate(guest->fd, (off_t)MIB), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(guest->fd, (off_t)(2 * TWO_PIECES)), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(guest->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(guest->fd, F_GETFD), FD_CLOEXEC);
    munmap(elsewhere, guest->regions[1].size);
    fd = guest->fd;
    memory_destroy(&memory);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void a_file_is_read_and_never_written(void **state)
{
    struct machine_memory memory = {0};
    int fd = make_file(64 * MIB);
    uint8_t *host;
    char text[8];

    (void)state;
    assert_int_equal(memory_create(64 * MIB, MACHINE_MEMORY_FILE, fd, &memory, NULL), 0);
    host = memory.guest.regions[0].host;
    assert_memory_equal(host, "template", 8);
    memcpy(host, "changed!", 8);
    assert_int_equal(pread(fd, text, 8, 0), 8);
    assert_memory_equal(text, "template", 8);
    memory_destroy(&memory);
    close(fd);
}

static void a_file_that_is_too_small_is_refused(void **state)
{
    struct machine_memory memory = {0};
    struct error err = ERROR_INIT;
    int fd = make_file(64 * MIB - 1);

    (void)state;
    assert_int_equal(memory_create(64 * MIB, MACHINE_MEMORY_FILE, fd, &memory, &err), -EINVAL);
    assert_string_equal(err.text,
                        "it holds 67108863 bytes, and the guest's memory 67108864 (option -m)");
    assert_null(memory.mapping);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_memory_is_not_dumped),
        cmocka_unit_test(regions_are_adjacent_and_aligned),
        cmocka_unit_test(only_anonymous_memory_asks_for_huge_pages),
        cmocka_unit_test(only_a_memory_file_is_shared),
        cmocka_unit_test(a_memory_file_is_seen_elsewhere_and_keeps_its_size),
        cmocka_unit_test(a_file_is_read_and_never_written),
        cmocka_unit_test(a_file_that_is_too_small_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
