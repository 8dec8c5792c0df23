/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory and virtqueues with a correct driver, and one that violates the specification. */
#include <stdlib.h>

#include <errno.h>
#include <linux/virtio_ring.h>

#include "devices/entropy/entropy.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"

#define INDIRECT    (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_INDEX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define SIZE        8

/* The queue of a device that is never notified: the tests pop from it. */
static struct fake_machine machine;
static struct virtqueue *queue;
static struct virtqueue_chain chain;

static void begin(uint64_t features)
{
    struct virtio_device *device = NULL;

    assert_int_equal(entropy_create(&device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, features, SIZE);
    queue = &device->queues[0];
}

static void end(void)
{
    fake_machine_destroy(&machine);
}

static int take(void)
{
    return virtqueue_pop(queue, &machine.memory, &chain);
}

/* ---- guest memory ---- */

static void translation_needs_the_whole_range(void **state)
{
    static const struct {
        uint64_t address, size;
        bool valid;
    } cases[] = {
        {0, 1, true},
        {0, FAKE_REGION_SIZE, true},
        {0, FAKE_REGION_SIZE + 1, false},
        {FAKE_REGION_SIZE - 1, 1, true},
        {FAKE_REGION_SIZE - 1, 2, false},
        {FAKE_REGION_SIZE, 1, false},
        {0, 0, false},
        {FAKE_HIGH_BASE - 1, 2, false},
        {FAKE_HIGH_BASE, FAKE_REGION_SIZE, true},
        {FAKE_HIGH_BASE + FAKE_REGION_SIZE, 1, false},
        {UINT64_MAX, 1, false},
        {UINT64_MAX, UINT64_MAX, false},
        {FAKE_HIGH_BASE, UINT64_MAX, false},
        {1, UINT64_MAX, false},
    };

    (void)state;
    begin(0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const void *at =
            guest_memory_at(&machine.memory, GUEST_ADDR(cases[i].address), cases[i].size);

        assert_int_equal(at != NULL, cases[i].valid);
    }
    assert_ptr_equal(guest_memory_at(&machine.memory, GUEST_ADDR(FAKE_HIGH_BASE + 5), 1),
                     machine.high + 5);
    end();
}

static void copies_touch_nothing_outside(void **state)
{
    char text[4] = "abc";

    (void)state;
    begin(0);
    assert_true(guest_memory_write(&machine.memory, GUEST_ADDR(FAKE_REGION_SIZE - 4), text, 4));
    assert_false(guest_memory_write(&machine.memory, GUEST_ADDR(FAKE_REGION_SIZE - 3), "xyz", 4));
    memset(text, 0, sizeof(text));
    assert_true(guest_memory_read(&machine.memory, GUEST_ADDR(FAKE_REGION_SIZE - 4), text, 4));
    assert_string_equal(text, "abc");
    assert_false(guest_memory_read(&machine.memory, GUEST_ADDR(FAKE_REGION_SIZE - 1), text, 4));
    assert_string_equal(text, "abc");
    end();
}

/* ---- a correct driver ---- */

static void chain_is_translated_in_order(void **state)
{
    const struct fake_buffer buffers[] = {{0x10000, 16, false},
                                          {FAKE_HIGH_BASE + 3, 5, false},
                                          {0x20000, 512, true},
                                          {0x30000, 1, true}};
    uint16_t head;

    (void)state;
    begin(0);
    assert_int_equal(take(), 0);
    head = fake_add(&machine, 0, buffers, 4);
    assert_int_equal(take(), 1);
    assert_int_equal(chain.head, head);
    assert_int_equal(chain.readable_count, 2);
    assert_int_equal(chain.writable_count, 2);
    assert_int_equal(chain.readable_size, 21);
    assert_int_equal(chain.writable_size, 513);
    assert_ptr_equal(chain.segments[1].iov_base, machine.high + 3);
    assert_int_equal(chain.segments[1].iov_len, 5);
    assert_ptr_equal(virtqueue_chain_writable(&chain)[0].iov_base, machine.low + 0x20000);
    assert_int_equal(take(), 0);
    end();
}

static void chain_put_back_comes_again(void **state)
{
    const struct fake_buffer buffer = {0x10000, 16, false};
    uint16_t head;

    (void)state;
    begin(0);
    head = fake_add(&machine, 0, &buffer, 1);
    fake_add(&machine, 0, &buffer, 1);
    assert_int_equal(take(), 1);
    assert_int_equal(chain.progress, 0);
    virtqueue_undo_pop(queue, 5);
    assert_int_equal(take(), 1);
    assert_int_equal(chain.head, head);
    assert_int_equal(chain.progress, 5);
    assert_int_equal(take(), 1);
    assert_int_not_equal(chain.head, head);
    assert_int_equal(chain.progress, 0); /* of the other one */
    end();
}

static void indices_wrap_around(void **state)
{
    const struct fake_buffer buffer = {0x10000, 16, true};
    uint32_t head = 0;
    uint32_t size = 0;

    (void)state;
    begin(EVENT_INDEX);
    for (uint32_t i = 0; i < 70000; i++) {
        uint16_t offered = fake_add(&machine, 0, &buffer, 1);

        assert_int_equal(take(), 1);
        assert_int_equal(virtqueue_push_used(queue, chain.head, i), 0);
        assert_true(fake_pop(&machine, 0, &head, &size));
        assert_int_equal(head, offered);
        assert_int_equal(size, i);
    }
    assert_false(fake_pop(&machine, 0, &head, &size));
    end();
}

static void indirect_table_may_follow_descriptors(void **state)
{
    uint64_t table;

    (void)state;
    begin(INDIRECT);
    table = fake_allocate(&machine, 3 * 16);
    fake_descriptor(&machine, 0, 0, 0, 0x10000, 4, VRING_DESC_F_NEXT, 1);
    fake_descriptor(&machine, 0, 0, 1, table, 3 * 16, VRING_DESC_F_INDIRECT, 0);
    fake_descriptor(&machine, 0, table, 0, 0x20000, 8, VRING_DESC_F_NEXT, 2);
    fake_descriptor(&machine, 0, table, 2, 0x30000, 16, VRING_DESC_F_WRITE, 0);
    fake_offer(&machine, 0, 0);
    assert_int_equal(take(), 1);
    assert_int_equal(chain.readable_count, 2);
    assert_int_equal(chain.readable_size, 12);
    assert_int_equal(chain.writable_size, 16);
    end();
}

static void indirect_table_may_be_longer_than_the_queue(void **state)
{
    uint64_t table;

    (void)state;
    begin(INDIRECT);
    table = fake_allocate(&machine, VIRTQUEUE_SEGMENTS_MAX * 16);
    for (uint16_t i = 0; i < VIRTQUEUE_SEGMENTS_MAX; i++) {
        bool last = i + 1 == VIRTQUEUE_SEGMENTS_MAX;

        fake_descriptor(&machine, 0, table, i, 0x10000, 1, last ? 0 : VRING_DESC_F_NEXT,
                        (uint16_t)(i + 1));
    }
    fake_descriptor(&machine, 0, 0, 3, table, VIRTQUEUE_SEGMENTS_MAX * 16, VRING_DESC_F_INDIRECT,
                    0);
    fake_offer(&machine, 0, 3);
    assert_int_equal(take(), 1);
    assert_int_equal(chain.readable_count, VIRTQUEUE_SEGMENTS_MAX);
    end();
}

static void slices_and_copies_cross_segments(void **state)
{
    const struct fake_buffer buffers[] = {
        {0x10000, 3, false}, {0x11000, 4, false}, {0x20000, 2, true}, {0x21000, 5, true}};
    struct iovec parts[VIRTQUEUE_SEGMENTS_MAX];
    char text[16] = "";

    (void)state;
    begin(0);
    memcpy(fake_at(&machine, 0x10000), "abc", 3);
    memcpy(fake_at(&machine, 0x11000), "defg", 4);
    fake_add(&machine, 0, buffers, 4);
    assert_int_equal(take(), 1);
    assert_int_equal(virtqueue_chain_read(&chain, 2, text, 3), 3);
    assert_string_equal(text, "cde");
    assert_int_equal(virtqueue_chain_read(&chain, 5, text, 9), 2); /* no more than there is */
    assert_int_equal(virtqueue_chain_read(&chain, 7, text, 1), 0);
    assert_int_equal(virtqueue_chain_write(&chain, 1, "XYZ", 3), 3);
    assert_memory_equal(fake_at(&machine, 0x20000), "\0X", 2);
    assert_memory_equal(fake_at(&machine, 0x21000), "YZ\0", 3);
    assert_int_equal(virtqueue_chain_write(&chain, 6, "1234", 4), 1);
    assert_int_equal(virtqueue_slice(virtqueue_chain_readable(&chain), 2, 3, 100, parts), 1);
    assert_ptr_equal(parts[0].iov_base, fake_at(&machine, 0x11000));
    assert_int_equal(parts[0].iov_len, 4);
    assert_int_equal(virtqueue_slice(virtqueue_chain_readable(&chain), 2, 0, 0, parts), 0);
    end();
}

/* ---- notification ---- */

static bool complete_one(void)
{
    const struct fake_buffer buffer = {0x10000, 16, true};

    fake_add(&machine, 0, &buffer, 1);
    assert_int_equal(take(), 1);
    assert_int_equal(virtqueue_push_used(queue, chain.head, 0), 0);
    return virtqueue_needs_interrupt(queue);
}

static void interrupts_without_event_index_follow_the_flag(void **state)
{
    (void)state;
    begin(0);
    assert_false(virtqueue_needs_interrupt(queue)); /* nothing to notify */
    assert_true(complete_one());
    assert_false(virtqueue_needs_interrupt(queue)); /* already notified */
    store_le16(fake_at(&machine, machine.queues[0].available), VRING_AVAIL_F_NO_INTERRUPT);
    assert_false(complete_one());
    end();
}

static void interrupts_with_event_index_wait_for_it(void **state)
{
    uint8_t *used_event;

    (void)state;
    begin(EVENT_INDEX);
    used_event = fake_at(&machine, machine.queues[0].available + 4 + 2 * SIZE);
    store_le16(used_event, 2); /* the driver wants an interrupt for the third */
    assert_false(complete_one());
    assert_false(complete_one());
    assert_true(complete_one());
    assert_false(complete_one());
    store_le16(used_event, 4);
    assert_true(complete_one());
    end();
}

static void empty_queue_asks_for_a_notification(void **state)
{
    const struct fake_buffer buffer = {0x10000, 16, false};
    const uint8_t *available_event;

    (void)state;
    begin(EVENT_INDEX);
    available_event = fake_at(&machine, machine.queues[0].used + 4 + 8 * SIZE);
    fake_add(&machine, 0, &buffer, 1);
    assert_int_equal(take(), 1);
    assert_int_equal(load_le16(available_event), 0); /* there may be more: not yet */
    assert_int_equal(take(), 0);
    assert_int_equal(load_le16(available_event), 1);
    end();
}

/* ---- a driver that violates the specification ---- */

static void expect_refused(void)
{
    uint16_t before = queue->next_available;

    fake_offer(&machine, 0, 0);
    assert_int_equal(take(), -EINVAL);
    assert_int_equal(queue->next_available, before);
}

static void bad_direct_chains_are_refused(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t size;
        uint16_t flags, next;
    } bad[] = {
        {FAKE_REGION_SIZE, 1, 0, 0},                             /* outside */
        {FAKE_REGION_SIZE - 1, 2, 0, 0},                         /* leaves its region */
        {UINT64_MAX, 2, 0, 0},                                   /* wraps around */
        {0x10000, UINT32_MAX, 0, 0},                             /* far too long */
        {0x10000, 0, 0, 0},                                      /* empty */
        {0x10000, 1, VRING_DESC_F_NEXT, 0},                      /* a loop of one */
        {0x10000, 1, VRING_DESC_F_NEXT, 1},                      /* a loop of two */
        {0x10000, 1, VRING_DESC_F_NEXT, SIZE},                   /* next is outside of the table */
        {0x10000, 1, VRING_DESC_F_NEXT, 0xffff},                 /* the same, far */
        {0x10000, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2}, /* writable before readable */
        {0x10000, 16, VRING_DESC_F_INDIRECT, 0},                 /* not negotiated */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        begin(0);
        fake_descriptor(&machine, 0, 0, 0, bad[i].address, bad[i].size, bad[i].flags, bad[i].next);
        fake_descriptor(&machine, 0, 0, 1, 0x10000, 1, VRING_DESC_F_NEXT, 0);
        fake_descriptor(&machine, 0, 0, 2, 0x10000, 1, 0, 0);
        expect_refused();
        end();
    }
}

static void bad_indirect_chains_are_refused(void **state)
{
    static const struct {
        uint32_t table_size;
        uint16_t flags; /* of the descriptor that refers to the table */
        uint16_t inner_flags, inner_next;
    } bad[] = {
        {0, VRING_DESC_F_INDIRECT, 0, 0},
        {8, VRING_DESC_F_INDIRECT, 0, 0},
        {24, VRING_DESC_F_INDIRECT, 0, 0},
        {(VIRTQUEUE_SEGMENTS_MAX + 1) * 16, VRING_DESC_F_INDIRECT, 0, 0},
        {UINT32_MAX, VRING_DESC_F_INDIRECT, 0, 0},
        {32, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 0, 0},
        {32, VRING_DESC_F_INDIRECT, VRING_DESC_F_INDIRECT, 0}, /* nested */
        {32, VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, 0},     /* loop */
        {32, VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, 2},     /* next is outside of the table */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        uint64_t table;

        begin(INDIRECT);
        table = fake_allocate(&machine, 32);
        fake_descriptor(&machine, 0, table, 0, 0x10000, 1, bad[i].inner_flags, bad[i].inner_next);
        fake_descriptor(&machine, 0, 0, 0, table, bad[i].table_size, bad[i].flags, 1);
        fake_descriptor(&machine, 0, 0, 1, 0x10000, 1, 0, 0);
        expect_refused();
        end();
    }
    begin(INDIRECT);
    fake_descriptor(&machine, 0, 0, 0, FAKE_REGION_SIZE - 16, 32, VRING_DESC_F_INDIRECT, 0);
    expect_refused(); /* a table that leaves guest memory */
    end();
}

static void too_many_segments_are_refused(void **state)
{
    uint64_t table;

    (void)state;
    begin(INDIRECT);
    table = fake_allocate(&machine, VIRTQUEUE_SEGMENTS_MAX * 16);
    for (uint16_t i = 0; i < VIRTQUEUE_SEGMENTS_MAX; i++)
        fake_descriptor(&machine, 0, table, i, 0x10000, 1,
                        i + 1 == VIRTQUEUE_SEGMENTS_MAX ? 0 : VRING_DESC_F_NEXT, (uint16_t)(i + 1));
    fake_descriptor(&machine, 0, 0, 0, 0x10000, 1, VRING_DESC_F_NEXT, 1);
    fake_descriptor(&machine, 0, 0, 1, table, VIRTQUEUE_SEGMENTS_MAX * 16, VRING_DESC_F_INDIRECT,
                    0);
    expect_refused();
    end();
}

static void more_than_four_gigabytes_are_refused(void **state)
{
    (void)state;
    begin(0);
    machine.memory.regions[1].size = 8ULL << 30; /* never touched, only translated */
    fake_descriptor(&machine, 0, 0, 0, FAKE_HIGH_BASE, UINT32_MAX, VRING_DESC_F_NEXT, 1);
    fake_descriptor(&machine, 0, 0, 1, FAKE_HIGH_BASE, 1, VRING_DESC_F_WRITE, 0);
    expect_refused();
    end();
}

/* Valid descriptors in the table and after it, where the queue must not look. */
static void fill_table(void)
{
    queue->descriptors = machine.queues[0].descriptors = fake_allocate(&machine, 4 * SIZE * 16);
    assert_int_equal(virtqueue_start(queue, &machine.memory), 0);
    for (uint16_t i = 0; i < 4 * SIZE; i++)
        fake_descriptor(&machine, 0, 0, i, 0x10000, 1, 0, 0);
}

static void nothing_behind_the_table_is_used(void **state)
{
    (void)state;
    begin(0);
    fill_table();
    fake_offer(&machine, 0, SIZE);
    assert_int_equal(take(), -EINVAL);
    end();

    begin(0);
    fill_table();
    fake_descriptor(&machine, 0, 0, 0, 0x10000, 1, VRING_DESC_F_NEXT, SIZE);
    expect_refused();
    end();
}

static void bad_indices_are_refused(void **state)
{
    (void)state;
    begin(0);
    fill_table();
    store_le16((uint8_t *)fake_at(&machine, machine.queues[0].available) + 2, SIZE + 1);
    assert_int_equal(take(), -EINVAL);
    end();

    begin(0); /* backwards */
    fill_table();
    store_le16((uint8_t *)fake_at(&machine, machine.queues[0].available) + 2, 0xffff);
    assert_int_equal(take(), -EINVAL);
    end();
}

static void unusable_layouts_are_distinguished(void **state)
{
    static const struct {
        uint16_t size;
        uint64_t descriptors, available, used;
        bool valid;
    } cases[] = {
        {SIZE, 0x1000, 0x2000, 0x3000, true},
        {1, 0x1000, 0x2000, 0x3000, true},
        {0, 0x1000, 0x2000, 0x3000, false},
        {SIZE - 1, 0x1000, 0x2000, 0x3000, false},
        {32, 0x1000, 0x2000, 0x3000, false}, /* above the device's limit */
        {SIZE, 0x1008, 0x2000, 0x3000, false},
        {SIZE, 0x1000, 0x2001, 0x3000, false},
        {SIZE, 0x1000, 0x2000, 0x3002, false},
        {SIZE, FAKE_REGION_SIZE - 16, 0x2000, 0x3000, false},
        {SIZE, 0x1000, FAKE_REGION_SIZE - 4, 0x3000, false},
        {SIZE, 0x1000, 0x2000, FAKE_REGION_SIZE - 4, false},
        {SIZE, 0x1000, 0x2000, UINT64_MAX - 3, false},
    };

    (void)state;
    begin(0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct virtqueue layout = {.size_max = 16,
                                   .size = cases[i].size,
                                   .descriptors = cases[i].descriptors,
                                   .available = cases[i].available,
                                   .used = cases[i].used};

        assert_int_equal(virtqueue_start(&layout, &machine.memory), cases[i].valid ? 0 : -EINVAL);
        assert_int_equal(layout.ready, cases[i].valid);
    }
    end();
}

static void a_stopped_queue_does_nothing(void **state)
{
    const struct fake_buffer buffer = {0x10000, 16, true};
    uint32_t head = 0;
    uint32_t size = 0;

    (void)state;
    begin(0);
    fake_add(&machine, 0, &buffer, 1);
    virtqueue_stop(queue);
    assert_int_equal(take(), 0);
    assert_int_equal(virtqueue_push_used(queue, 0, 0), -EINVAL);
    assert_false(virtqueue_needs_interrupt(queue));
    assert_false(fake_pop(&machine, 0, &head, &size));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translation_needs_the_whole_range),
        cmocka_unit_test(copies_touch_nothing_outside),
        cmocka_unit_test(chain_is_translated_in_order),
        cmocka_unit_test(chain_put_back_comes_again),
        cmocka_unit_test(indices_wrap_around),
        cmocka_unit_test(indirect_table_may_follow_descriptors),
        cmocka_unit_test(indirect_table_may_be_longer_than_the_queue),
        cmocka_unit_test(slices_and_copies_cross_segments),
        cmocka_unit_test(interrupts_without_event_index_follow_the_flag),
        cmocka_unit_test(interrupts_with_event_index_wait_for_it),
        cmocka_unit_test(empty_queue_asks_for_a_notification),
        cmocka_unit_test(bad_direct_chains_are_refused),
        cmocka_unit_test(bad_indirect_chains_are_refused),
        cmocka_unit_test(too_many_segments_are_refused),
        cmocka_unit_test(more_than_four_gigabytes_are_refused),
        cmocka_unit_test(nothing_behind_the_table_is_used),
        cmocka_unit_test(bad_indices_are_refused),
        cmocka_unit_test(unusable_layouts_are_distinguished),
        cmocka_unit_test(a_stopped_queue_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
