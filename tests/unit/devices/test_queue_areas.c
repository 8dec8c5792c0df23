/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The areas of a queue are only translated when it becomes ready: counts the translations of a
 * request, and checks that no address of an area is kept before or after. All code uses the
 * guest_memory_at() below (see module.mk).
 */
#include <stdlib.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "devices/entropy/entropy.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/devices/probe_device.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define SIZE     8

static unsigned translations;

void *__real_guest_memory_at(const struct guest_memory *memory, guest_addr addr, uint64_t size);
void *__wrap_guest_memory_at(const struct guest_memory *memory, guest_addr addr, uint64_t size);

void *__wrap_guest_memory_at(const struct guest_memory *memory, guest_addr addr, uint64_t size)
{
    translations++;
    return __real_guest_memory_at(memory, addr, size);
}

static struct fake_machine machine;
static struct virtqueue *queue;

static int begin(void **state)
{
    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR); /* the tests report enough */
    probe_create(&machine);
    queue = &machine.device->queues[0];
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_machine_destroy(&machine);
    return 0;
}

static void expect_no_areas(const struct virtqueue *of)
{
    assert_false(of->ready);
    assert_null(of->areas.descriptors);
    assert_null(of->areas.available);
    assert_null(of->areas.used);
}

/* Pops a chain and pushes it as used, like a device; returns the number of translations. */
static unsigned serve_one(void)
{
    struct virtqueue_chain chain;
    unsigned before = translations;

    assert_int_equal(virtqueue_pop(queue, &machine.memory, &chain), 1);
    assert_int_equal(virtqueue_push_used(queue, chain.head, 0), 0);
    virtqueue_needs_interrupt(queue);
    assert_int_equal(virtqueue_pop(queue, &machine.memory, &chain), 0);
    return translations - before;
}

static void a_queue_translates_its_areas_once(void **state)
{
    (void)state;
    fake_negotiate(&machine, 0);
    translations = 0;
    fake_queue_setup(&machine, 0, SIZE);
    assert_int_equal(translations, 3);
    assert_ptr_equal(queue->areas.descriptors, machine.low + queue->descriptors);
    assert_ptr_equal(queue->areas.available, machine.low + queue->available);
    assert_ptr_equal(queue->areas.used, machine.low + queue->used);
}

static void a_chain_costs_a_translation_a_descriptor(void **state)
{
    const struct fake_buffer buffers[] = {
        {0x10000, 16, false}, {0x11000, 512, true}, {0x12000, 1, true}};
    uint64_t table;

    (void)state;
    fake_start(&machine, INDIRECT, SIZE);
    fake_add(&machine, 0, buffers, 1);
    assert_int_equal(serve_one(), 1);
    fake_add(&machine, 0, buffers, 3);
    assert_int_equal(serve_one(), 3);
    table = fake_allocate(&machine, 2 * 16);
    fake_descriptor(&machine, 0, table, 0, 0x10000, 16, VRING_DESC_F_NEXT, 1);
    fake_descriptor(&machine, 0, table, 1, 0x11000, 16, VRING_DESC_F_WRITE, 0);
    fake_descriptor(&machine, 0, 0, 7, table, 2 * 16, VRING_DESC_F_INDIRECT, 0);
    fake_offer(&machine, 0, 7);
    assert_int_equal(serve_one(), 3); /* two, and their table */
}

static void an_empty_queue_costs_none(void **state)
{
    struct virtqueue_chain chain;

    (void)state;
    fake_start(&machine, 1ULL << VIRTIO_RING_F_EVENT_IDX, SIZE);
    translations = 0;
    assert_int_equal(virtqueue_pop(queue, &machine.memory, &chain), 0);
    virtqueue_needs_interrupt(queue);
    assert_int_equal(translations, 0);
}

/* A complete request of a real device, from its notification to its interrupt. */
static void a_request_of_a_device_costs_what_its_chain_does(void **state)
{
    const struct fake_buffer buffer = {0x10000, 64, true};
    struct virtio_device *device = NULL;
    struct fake_machine other;
    uint32_t head = 0;
    uint32_t size = 0;

    (void)state;
    assert_int_equal(entropy_create(&device, NULL), 0);
    fake_machine_create(&other, device);
    fake_start(&other, 0, SIZE);
    fake_add(&other, 0, &buffer, 1);
    translations = 0;
    fake_notify(&other, 0);
    assert_true(fake_run(&other, 10));
    assert_int_equal(translations, 1);
    assert_int_equal(other.interrupts, 1);
    assert_true(fake_pop(&other, 0, &head, &size));
    assert_int_equal(size, 64);
    fake_machine_destroy(&other);
}

static void areas_are_forgotten_with_the_queue(void **state)
{
    (void)state;
    expect_no_areas(queue);
    fake_start(&machine, 0, SIZE);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_SEL, 0);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_READY, 0);
    expect_no_areas(queue);
    assert_non_null(machine.device->queues[1].areas.used);
    fake_write(&machine, VIRTIO_MMIO_STATUS, 0);
    expect_no_areas(&machine.device->queues[1]);

    fake_start(&machine, 0, SIZE);
    virtio_device_fail(machine.device, "test");
    expect_no_areas(queue);
    expect_no_areas(&machine.device->queues[1]);
}

static void write_address(uint32_t low, uint64_t value)
{
    fake_write(&machine, low, (uint32_t)value);
    fake_write(&machine, low + 4, (uint32_t)(value >> 32));
}

/* Sets queue 0 up with areas at these addresses, and makes it ready; returns the status. */
static uint32_t set_up(uint64_t descriptors, uint64_t available, uint64_t used)
{
    fake_negotiate(&machine, 0);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_SEL, 0);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_NUM, SIZE);
    write_address(VIRTIO_MMIO_QUEUE_DESC_LOW, descriptors);
    write_address(VIRTIO_MMIO_QUEUE_AVAIL_LOW, available);
    write_address(VIRTIO_MMIO_QUEUE_USED_LOW, used);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_READY, 1);
    return fake_read(&machine, VIRTIO_MMIO_STATUS);
}

/* Each area up to the very end of memory, and one step further: by length, never by the start. */
static void the_whole_of_an_area_is_looked_at(void **state)
{
    static const uint64_t bases[] = {0, FAKE_HIGH_BASE};
    static const struct {
        uint64_t size, step; /* of the area, of its alignment */
    } areas[] = {{SIZE * 16, 16}, {6 + SIZE * 2, 2}, {6 + SIZE * 8, 4}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bases); i++) {
        for (size_t a = 0; a < ARRAY_LENGTH(areas); a++) {
            uint64_t end_of_region = bases[i] + FAKE_REGION_SIZE;
            uint64_t last = align_down(end_of_region - areas[a].size, areas[a].step);
            uint64_t at[] = {0x1000, 0x2000, 0x3000};

            at[a] = last;
            assert_false(set_up(at[0], at[1], at[2]) & VIRTIO_CONFIG_S_NEEDS_RESET);
            assert_true(queue->ready);
            at[a] = last + areas[a].step;
            assert_true(set_up(at[0], at[1], at[2]) & VIRTIO_CONFIG_S_NEEDS_RESET);
            expect_no_areas(queue);
            at[a] = 0 - areas[a].step; /* the end of it wraps around */
            assert_true(set_up(at[0], at[1], at[2]) & VIRTIO_CONFIG_S_NEEDS_RESET);
            expect_no_areas(queue);
            at[a] = 0x4000 + areas[a].step / 2;
            assert_true(set_up(at[0], at[1], at[2]) & VIRTIO_CONFIG_S_NEEDS_RESET);
            expect_no_areas(queue);
        }
    }
}

static void a_loaded_queue_translates_again(void **unused)
{
    size_t size = virtio_mmio_state_size(machine.mmio);
    uint8_t *state = malloc(size);
    struct fake_machine other;
    const struct virtqueue *loaded;

    (void)unused;
    assert_non_null(state);
    fake_start(&machine, 0, SIZE);
    virtio_mmio_save(machine.mmio, state);
    probe_create(&other);
    loaded = &other.device->queues[0];
    translations = 0;
    assert_int_equal(virtio_mmio_load(other.mmio, state, NULL), 0);
    assert_int_equal(translations, 3 * PROBE_QUEUE_COUNT);
    assert_ptr_equal(loaded->areas.descriptors, other.low + queue->descriptors);
    assert_ptr_equal(loaded->areas.available, other.low + queue->available);
    assert_ptr_equal(loaded->areas.used, other.low + queue->used);
    fake_machine_destroy(&other);
    free(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_queue_translates_its_areas_once),
        TEST(a_chain_costs_a_translation_a_descriptor),
        TEST(an_empty_queue_costs_none),
        TEST(a_request_of_a_device_costs_what_its_chain_does),
        TEST(areas_are_forgotten_with_the_queue),
        TEST(the_whole_of_an_area_is_looked_at),
        TEST(a_loaded_queue_translates_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
