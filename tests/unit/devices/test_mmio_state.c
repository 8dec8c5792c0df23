/* SPDX-License-Identifier: Apache-2.0 */
/* Saved state of the virtio-mmio transport, valid and hostile. */
#include <stdlib.h>

#include <errno.h>
#include <linux/virtio_ring.h>

#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/devices/probe_device.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define EVENT_INDEX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define SIZE        8

static struct fake_machine machine;
static struct probe *probe;

static int begin(void **state)
{
    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR); /* the tests report enough */
    probe_create(&machine);
    probe = (struct probe *)machine.device;
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_machine_destroy(&machine);
    return 0;
}

static uint8_t *save(size_t *size)
{
    uint8_t *state;

    *size = virtio_mmio_state_size(machine.mmio);
    state = malloc(*size);
    assert_non_null(state);
    virtio_mmio_save(machine.mmio, state);
    return state;
}

static void state_survives_a_round_trip(void **unused)
{
    struct fake_machine other;
    size_t size;
    uint8_t *state;
    uint8_t *again;

    (void)unused;
    fake_start(&machine, EVENT_INDEX, SIZE);
    probe->value = 42;
    machine.device->queues[1].next_available = machine.device->queues[1].next_used = 5;
    virtio_device_config_changed(machine.device);
    state = save(&size);
    probe_create(&other);
    assert_int_equal(virtio_mmio_load(other.mmio, state, NULL), 0);
    again = calloc(1, size);
    assert_non_null(again);
    virtio_mmio_save(other.mmio, again);
    assert_memory_equal(state, again, size);
    assert_int_equal(((struct probe *)other.device)->value, 42);
    assert_true(other.device->queues[1].event_index);
    assert_int_equal(other.device->queues[1].next_available, 5);
    assert_string_equal(((struct probe *)other.device)->told, "A01"); /* running again */
    fake_machine_destroy(&other);
    free(state);
    free(again);
}

/* Each number is written to each offset of a valid state: the result is refused or loaded, nothing
 * else. */
static void hostile_states_are_refused_or_harmless(void **unused)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       0xff,
                                       0x7fffffff,
                                       UINT32_MAX,
                                       UINT64_MAX,
                                       FAKE_REGION_SIZE - 8,
                                       FAKE_HIGH_BASE + FAKE_REGION_SIZE};
    unsigned refused = 0;
    size_t size;
    uint8_t *state;

    (void)unused;
    fake_start(&machine, EVENT_INDEX, SIZE);
    state = save(&size);
    for (size_t offset = 0; offset + 8 <= size; offset += 4) {
        for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
            struct fake_machine other;
            struct virtqueue_chain chain;
            struct error err = ERROR_INIT;
            uint8_t *bad = malloc(size);

            assert_non_null(bad);
            memcpy(bad, state, size);
            store_le64(bad + offset, numbers[i]);
            probe_create(&other);
            if (virtio_mmio_load(other.mmio, bad, &err) < 0) {
                assert_int_equal(err.code, EINVAL);
                refused++;
            } else {
                virtqueue_pop(&other.device->queues[0], &other.memory, &chain);
            }
            fake_machine_destroy(&other);
            free(bad);
        }
    }
    assert_true(refused > 100);
    free(state);
}

/* A state replaces the former one, including the areas of a ready queue, even if it is refused. */
static void a_state_for_a_device_at_work_stops_its_queues(void **unused)
{
    static const size_t device_id_at = 0;
    struct virtqueue *queue = &machine.device->queues[0];
    struct virtqueue_chain chain;
    size_t size;
    uint8_t *state;

    (void)unused;
    state = save(&size); /* its queues are not ready */
    fake_start(&machine, EVENT_INDEX, SIZE);
    assert_true(queue->ready);
    assert_int_equal(virtio_mmio_load(machine.mmio, state, NULL), 0);
    assert_false(queue->ready);
    assert_null(queue->areas.used);
    assert_int_equal(virtqueue_pop(queue, &machine.memory, &chain), 0);
    fake_start(&machine, EVENT_INDEX, SIZE);
    store_le32(state + device_id_at, UINT32_MAX);
    assert_int_equal(virtio_mmio_load(machine.mmio, state, NULL), -EINVAL);
    assert_false(queue->ready);
    assert_null(queue->areas.used);
    free(state);
}

static void a_state_the_device_refuses_is_refused(void **unused)
{
    struct error err = ERROR_INIT;
    struct fake_machine other;
    size_t size;
    uint8_t *state;

    (void)unused;
    probe->value = PROBE_VALUE_REFUSED;
    state = save(&size);
    probe_create(&other);
    assert_int_equal(virtio_mmio_load(other.mmio, state, &err), -EINVAL);
    assert_non_null(strstr(err.text, "probe"));
    fake_machine_destroy(&other);
    free(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(state_survives_a_round_trip),
        TEST(hostile_states_are_refused_or_harmless),
        TEST(a_state_for_a_device_at_work_stops_its_queues),
        TEST(a_state_the_device_refuses_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
