/* SPDX-License-Identifier: Apache-2.0 */
/* Each access reaches the range that contains all of it, or none. */
#include <errno.h>

#include "tests/unit/unit.h"
#include "vmm/machine/bus.h"

struct seen {
    uint64_t offset;
    uint32_t size;
    unsigned reads, writes;
};

static void note_read(void *opaque, uint64_t offset, void *data, uint32_t size)
{
    struct seen *seen = opaque;

    seen->offset = offset;
    seen->size = size;
    seen->reads++;
    memset(data, 0x11, size);
}

static void note_write(void *opaque, uint64_t offset, const void *data, uint32_t size)
{
    struct seen *seen = opaque;

    (void)data;
    seen->offset = offset;
    seen->size = size;
    seen->writes++;
}

static int add(struct bus *bus, uint64_t base, uint64_t size, struct seen *seen)
{
    const struct bus_range range = {.name = "test",
                                    .base = base,
                                    .size = size,
                                    .read = note_read,
                                    .write = note_write,
                                    .opaque = seen,
                                    .reads = {.count = 99}};

    return bus_add(bus, &range, NULL);
}

static void accesses_find_their_range(void **state)
{
    struct bus bus = {0};
    struct seen one = {0};
    struct seen two = {0};
    struct seen last = {0};
    uint32_t value = 0;

    (void)state;
    assert_int_equal(add(&bus, 0x2000, 0x100, &two), 0); /* unordered */
    assert_int_equal(add(&bus, UINT64_MAX - 0xf, 0x10, &last), 0);
    assert_int_equal(add(&bus, 0x1000, 0x100, &one), 0);
    bus_read(&bus, 0x1004, &value, 4);
    assert_int_equal(one.offset, 4);
    assert_int_equal(value, 0x11111111);
    bus_write(&bus, 0x20ff, &value, 1);
    assert_int_equal(two.offset, 0xff);
    assert_int_equal(two.size, 1);
    bus_read(&bus, UINT64_MAX, &value, 1);
    assert_int_equal(last.offset, 0xf);
    assert_int_equal(bus.unclaimed, 0);
    assert_int_equal(bus.ranges[0].base, 0x1000);
    assert_int_equal(bus.ranges[0].reads.count, 1);
    assert_int_equal(bus.ranges[1].writes.count, 1);
}

static void others_find_nobody(void **state)
{
    struct bus bus = {0};
    struct seen seen = {0};
    uint64_t value = 0;

    (void)state;
    bus_read(&bus, 0, &value, 8); /* an empty bus */
    assert_true(value == UINT64_MAX);
    assert_int_equal(add(&bus, 0x1000, 0x100, &seen), 0);
    value = 0;
    bus_read(&bus, 0x10fd, &value, 4); /* across the end */
    assert_int_equal(value, 0xffffffff);
    bus_read(&bus, 0xfff, &value, 1);
    bus_write(&bus, 0xffe, &value, 4); /* across the start */
    bus_write(&bus, 0x1100, &value, 1);
    bus_write(&bus, UINT64_MAX, &value, 8);
    assert_int_equal(seen.reads + seen.writes, 0);
    assert_int_equal(bus.unclaimed, 6);
}

static void overlap_and_overflow_are_refused(void **state)
{
    struct bus bus = {0};
    struct seen seen = {0};

    (void)state;
    assert_int_equal(add(&bus, 0x1000, 0x100, &seen), 0);
    assert_int_equal(add(&bus, 0x1000, 0x100, &seen), -EEXIST);
    assert_int_equal(add(&bus, 0x10ff, 1, &seen), -EEXIST);
    assert_int_equal(add(&bus, 0xfff, 2, &seen), -EEXIST);
    assert_int_equal(add(&bus, 0xf00, 0x100, &seen), 0);
    for (unsigned i = 2; i < BUS_RANGES; i++)
        assert_int_equal(add(&bus, 0x10000 * i, 1, &seen), 0);
    assert_int_equal(add(&bus, 1, 1, &seen), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_find_their_range),
        cmocka_unit_test(others_find_nobody),
        cmocka_unit_test(overlap_and_overflow_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
