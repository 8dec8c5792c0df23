/* SPDX-License-Identifier: Apache-2.0 */
/* Registers, status and negotiation of the virtio-mmio transport. */
#include <stdlib.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <pthread.h>

#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/devices/probe_device.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define FEATURE_LACKING (1ULL << 4)
#define EVENT_INDEX     (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define NEGOTIATED                                                                                 \
    (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define RUNNING (NEGOTIATED | VIRTIO_CONFIG_S_DRIVER_OK)
#define SIZE    8

static struct fake_machine machine;
static struct probe *probe;

static int begin(void **state)
{
    (void)state;
    log_configure(-1, LOG_LEVEL_ERROR); /* warnings about a bad driver are expected here */
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

static void expect_told(const char *told)
{
    assert_true(fake_run(&machine, 10));
    assert_string_equal(probe->told, told);
    memset(probe->told, 0, sizeof(probe->told));
}

/* ---- identity and access ---- */

static void identity_is_that_of_version_2(void **state)
{
    (void)state;
    assert_int_equal(fake_read(&machine, 0), 0x74726976);
    assert_int_equal(fake_read(&machine, 4), 2);
    assert_int_equal(fake_read(&machine, 8), 77);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_SHM_LEN_HIGH), UINT32_MAX);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_SHM_BASE_LOW), UINT32_MAX);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_SHM_BASE_HIGH), UINT32_MAX);
}

static void odd_accesses_read_zero_and_change_nothing(void **state)
{
    static const struct {
        uint64_t offset;
        uint32_t size;
    } odd[] = {{1, 4},      {0, 1},     {0, 2},          {0, 8},     {2, 2},
               {0x1000, 4}, {0x1fd, 4}, {UINT64_MAX, 4}, {0x1fc, 8}, {0x200, 1}};
    uint8_t data[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
        memset(data, 0xff, sizeof(data));
        virtio_mmio_read(machine.mmio, odd[i].offset, data, odd[i].size);
        for (uint32_t at = 0; at < odd[i].size; at++)
            assert_int_equal(data[at], 0);
        memset(data, 0xff, sizeof(data));
        virtio_mmio_write(machine.mmio, odd[i].offset, data, odd[i].size);
    }
    for (uint32_t offset = 0; offset < VIRTIO_MMIO_CONFIG; offset += 4) {
        if (offset != VIRTIO_MMIO_STATUS)
            fake_write(&machine, offset, 0xffffffff);
    }
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), 0);
    expect_told("");
}

static void configuration_is_passed_in_any_size(void **state)
{
    uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    (void)state;
    virtio_mmio_write(machine.mmio, VIRTIO_MMIO_CONFIG + 2, data, 8);
    memset(data, 0xee, sizeof(data));
    virtio_mmio_read(machine.mmio, VIRTIO_MMIO_CONFIG + 3, data, 2);
    assert_int_equal(load_le16(data), 0x0302);
    virtio_mmio_read(machine.mmio, VIRTIO_MMIO_CONFIG + 8, data, 8); /* beyond its end: zeroes */
    assert_int_equal(load_le64(data), 0x0807);
    virtio_mmio_read(machine.mmio, VIRTIO_MMIO_CONFIG + 0xff, data, 1);
    assert_int_equal(data[0], 0);
}

/* ---- negotiation ---- */

static void features_are_offered_in_halves(void **state)
{
    (void)state;
    fake_write(&machine, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_DEVICE_FEATURES),
                     PROBE_FEATURE | 1U << VIRTIO_RING_F_INDIRECT_DESC |
                         1U << VIRTIO_RING_F_EVENT_IDX);
    fake_write(&machine, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_DEVICE_FEATURES),
                     1U << (VIRTIO_F_VERSION_1 - 32));
    fake_write(&machine, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

static void offered_features_are_accepted(void **state)
{
    (void)state;
    assert_int_equal(fake_negotiate(&machine, PROBE_FEATURE), NEGOTIATED);
    assert_int_equal(machine.device->negotiated, PROBE_FEATURE | 1ULL << VIRTIO_F_VERSION_1);
    /* Negotiated features stay. */
    fake_write(&machine, VIRTIO_MMIO_DRIVER_FEATURES, 0);
    fake_write(&machine, VIRTIO_MMIO_STATUS, NEGOTIATED);
    assert_int_equal(machine.device->negotiated, PROBE_FEATURE | 1ULL << VIRTIO_F_VERSION_1);
}

static void foreign_features_are_refused(void **state)
{
    (void)state;
    assert_int_equal(fake_negotiate(&machine, FEATURE_LACKING),
                     VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    assert_int_equal(machine.device->negotiated, 0);
    fake_write(&machine, VIRTIO_MMIO_STATUS, RUNNING);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS),
                     VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
}

static void legacy_drivers_are_refused(void **state)
{
    (void)state;
    fake_write(&machine, VIRTIO_MMIO_STATUS, NEGOTIATED); /* without VERSION_1 */
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS),
                     VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
}

static void steps_cannot_be_left_out(void **state)
{
    (void)state;
    fake_write(&machine, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), 0);
    fake_write(&machine, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), 0);
    fake_write(&machine, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FAILED);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), VIRTIO_CONFIG_S_FAILED);
    fake_write(&machine, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_NEEDS_RESET); /* not the driver's */
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), VIRTIO_CONFIG_S_FAILED);
    expect_told("");
}

/* ---- queues ---- */

static void queues_start_after_negotiation_only(void **state)
{
    (void)state;
    fake_queue_setup(&machine, 0, SIZE);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_READY), 0);
    fake_negotiate(&machine, 0);
    fake_queue_setup(&machine, 0, SIZE);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_READY), 1);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_SEL, 2);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_SEL, 1);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_NUM_MAX), 16);
}

static void a_ready_queue_keeps_its_layout(void **state)
{
    uint64_t used;

    (void)state;
    fake_negotiate(&machine, 0);
    fake_queue_setup(&machine, 0, SIZE);
    used = machine.device->queues[0].used;
    fake_write(&machine, VIRTIO_MMIO_QUEUE_NUM, 2);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_USED_LOW, 0);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_USED_HIGH, 1);
    assert_int_equal(machine.device->queues[0].size, SIZE);
    assert_int_equal(machine.device->queues[0].used, used);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_READY, 0);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_READY), 0);
    fake_write(&machine, VIRTIO_MMIO_QUEUE_USED_HIGH, 1);
    assert_int_equal(machine.device->queues[0].used, used | 1ULL << 32);
}

static void a_bad_queue_needs_a_reset(void **state)
{
    static const uint32_t sizes[] = {0, 3, 32, 65536 + 8, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        fake_negotiate(&machine, 0);
        fake_queue_setup(&machine, 0, SIZE);
        fake_write(&machine, VIRTIO_MMIO_QUEUE_READY, 0);
        fake_write(&machine, VIRTIO_MMIO_QUEUE_NUM, sizes[i]);
        fake_write(&machine, VIRTIO_MMIO_QUEUE_READY, 1);
        assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_READY), 0);
        assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS),
                         NEGOTIATED | VIRTIO_CONFIG_S_NEEDS_RESET);
        /* Before DRIVER_OK there are no interrupts. */
        assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
        /* Until the reset nothing starts. */
        fake_queue_setup(&machine, 1, SIZE);
        assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_READY), 0);
    }
    assert_int_equal(machine.interrupts, 0);
}

/* ---- life ---- */

static void the_device_is_called_in_order(void **state)
{
    (void)state;
    fake_start(&machine, 0, SIZE);
    expect_told("RA01"); /* both queues are checked */
    fake_notify(&machine, 1);
    fake_notify(&machine, 7);
    expect_told("1");
    fake_write(&machine, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_QUEUE_READY), 0);
    fake_notify(&machine, 1); /* to a device that is off */
    expect_told("R");
}

static void a_reset_overtakes_the_activation_before_it(void **state)
{
    uint32_t status = fake_negotiate(&machine, 0);

    (void)state;
    fake_queue_setup(&machine, 0, SIZE);
    fake_write(&machine, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
    fake_write(&machine, VIRTIO_MMIO_STATUS, 0);
    expect_told("R");
}

static void a_reset_is_settled_before_other_work(void **state)
{
    (void)state;
    fake_start(&machine, 0, SIZE);
    memset(probe->told, 0, sizeof(probe->told));
    fake_write(&machine, VIRTIO_MMIO_STATUS, 0); /* the I/O loop has not seen it yet */
    virtio_device_lock(machine.device);          /* same as a descriptor's handler */
    assert_string_equal(probe->told, "R");
    virtio_device_unlock(machine.device);
}

static void notifications_wait_for_driver_ok(void **state)
{
    (void)state;
    fake_negotiate(&machine, 0);
    fake_queue_setup(&machine, 0, SIZE);
    fake_notify(&machine, 0);
    expect_told("R");
}

static void without_kick_the_work_is_done_at_once(void **state)
{
    (void)state;
    virtio_mmio_set_kick(machine.mmio, NULL, NULL);
    fake_start(&machine, 0, SIZE);
    fake_notify(&machine, 1);
    assert_string_equal(probe->told, "RA011");
}

static bool driver_done; /* atomic */

/* A driver that resets and starts the device repeatedly, on a separate thread, like a vCPU. */
static void *drive(void *opaque)
{
    uint64_t areas = machine.next_free;

    (void)opaque;
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t status = fake_negotiate(&machine, EVENT_INDEX);

        machine.next_free = areas;
        fake_queue_setup(&machine, 0, SIZE);
        fake_write(&machine, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
        fake_notify(&machine, 0);
        fake_notify(&machine, 1);
        fake_write(&machine, VIRTIO_MMIO_INTERRUPT_ACK,
                   fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS));
    }
    __atomic_store_n(&driver_done, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static void a_driver_and_the_loop_may_run_at_once(void **state)
{
    pthread_t thread;

    (void)state;
    driver_done = false;
    assert_int_equal(pthread_create(&thread, NULL, drive, NULL), 0);
    while (!__atomic_load_n(&driver_done, __ATOMIC_SEQ_CST)) {
        fake_run(&machine, 1);
        virtio_device_lock(machine.device);
        virtio_device_notify(machine.device, 0);
        virtio_device_unlock(machine.device);
    }
    pthread_join(thread, NULL);
    assert_true(fake_run(&machine, 10));
    assert_true(probe->resets > 0);
    assert_true(probe->activations > 0 && probe->activations <= probe->resets);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS), RUNNING);
}

/* ---- interrupts ---- */

static void configuration_changes_are_reported(void **state)
{
    uint32_t generation = fake_read(&machine, VIRTIO_MMIO_CONFIG_GENERATION);

    (void)state;
    virtio_device_config_changed(machine.device);
    assert_int_not_equal(fake_read(&machine, VIRTIO_MMIO_CONFIG_GENERATION), generation);
    assert_int_equal(machine.interrupts, 0); /* no driver */
    fake_start(&machine, 0, SIZE);
    virtio_device_config_changed(machine.device);
    assert_int_equal(machine.interrupts, 1);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    fake_write(&machine, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    fake_write(&machine, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void used_buffers_interrupt_when_wanted(void **state)
{
    const struct fake_buffer buffer = {0x100000, 16, true};
    struct virtio_mmio_counts counts;
    struct virtqueue_chain chain;

    (void)state;
    fake_start(&machine, 0, SIZE);
    virtio_device_notify(machine.device, 0);
    assert_int_equal(machine.interrupts, 0);
    fake_add(&machine, 0, &buffer, 1);
    assert_int_equal(virtqueue_pop(&machine.device->queues[0], &machine.memory, &chain), 1);
    virtqueue_push_used(&machine.device->queues[0], chain.head, 0);
    virtio_device_notify(machine.device, 0);
    assert_int_equal(machine.interrupts, 1);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
    virtio_device_notify(machine.device, 0); /* nothing new: no decision */
    store_le16(fake_at(&machine, machine.device->queues[0].available), VRING_AVAIL_F_NO_INTERRUPT);
    fake_add(&machine, 0, &buffer, 1);
    assert_int_equal(virtqueue_pop(&machine.device->queues[0], &machine.memory, &chain), 1);
    virtqueue_push_used(&machine.device->queues[0], chain.head, 0);
    virtio_device_notify(machine.device, 0);
    assert_int_equal(machine.interrupts, 1);
    virtio_mmio_get_counts(machine.mmio, &counts);
    assert_int_equal(counts.queues[0].notified, 1);
    assert_int_equal(counts.queues[0].suppressed, 1);
    assert_int_equal(counts.queues[1].notified + counts.queues[1].suppressed, 0);
}

static void registers_have_groups(void **state)
{
    static const struct {
        uint64_t offset;
        enum virtio_mmio_register_group group;
    } cases[] = {
        {VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_GROUP_IDENTITY},
        {VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_GROUP_IDENTITY},
        {VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_MMIO_GROUP_FEATURES},
        {VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_GROUP_QUEUES},
        {VIRTIO_MMIO_QUEUE_USED_HIGH, VIRTIO_MMIO_GROUP_QUEUES},
        {VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_MMIO_GROUP_NOTIFY},
        {VIRTIO_MMIO_INTERRUPT_STATUS, VIRTIO_MMIO_GROUP_INTERRUPTS},
        {VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_GROUP_INTERRUPTS},
        {VIRTIO_MMIO_STATUS, VIRTIO_MMIO_GROUP_STATUS},
        {VIRTIO_MMIO_CONFIG_GENERATION, VIRTIO_MMIO_GROUP_CONFIG},
        {VIRTIO_MMIO_CONFIG, VIRTIO_MMIO_GROUP_CONFIG},
        {VIRTIO_MMIO_SIZE - 1, VIRTIO_MMIO_GROUP_CONFIG},
        {VIRTIO_MMIO_SHM_SEL, VIRTIO_MMIO_GROUP_NOTHING},
        {0x18, VIRTIO_MMIO_GROUP_NOTHING},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(virtio_mmio_register_group(cases[i].offset), cases[i].group);
    for (unsigned i = 0; i < VIRTIO_MMIO_GROUPS; i++)
        assert_non_null(virtio_mmio_register_group_name(i));
}

static void a_failed_device_stands_still_until_its_reset(void **state)
{
    struct virtio_mmio_counts counts;

    (void)state;
    fake_start(&machine, 0, SIZE);
    virtio_device_fail(machine.device, "a test");
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_STATUS),
                     RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
    assert_int_equal(fake_read(&machine, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    memset(probe->told, 0, sizeof(probe->told));
    fake_notify(&machine, 0);
    fake_notify(&machine, 1);
    expect_told("");
    fake_start(&machine, 0, SIZE);
    expect_told("RA01");
    virtio_mmio_get_counts(machine.mmio, &counts);
    assert_int_equal(counts.interrupts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(identity_is_that_of_version_2),
        TEST(odd_accesses_read_zero_and_change_nothing),
        TEST(configuration_is_passed_in_any_size),
        TEST(features_are_offered_in_halves),
        TEST(offered_features_are_accepted),
        TEST(foreign_features_are_refused),
        TEST(legacy_drivers_are_refused),
        TEST(steps_cannot_be_left_out),
        TEST(queues_start_after_negotiation_only),
        TEST(a_ready_queue_keeps_its_layout),
        TEST(a_bad_queue_needs_a_reset),
        TEST(the_device_is_called_in_order),
        TEST(a_reset_overtakes_the_activation_before_it),
        TEST(a_reset_is_settled_before_other_work),
        TEST(notifications_wait_for_driver_ok),
        TEST(without_kick_the_work_is_done_at_once),
        TEST(a_driver_and_the_loop_may_run_at_once),
        TEST(configuration_changes_are_reported),
        TEST(used_buffers_interrupt_when_wanted),
        TEST(registers_have_groups),
        TEST(a_failed_device_stands_still_until_its_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
