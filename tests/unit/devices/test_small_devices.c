/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy, doorbell and serial port. */
#include <stdlib.h>

#include <linux/virtio_config.h>
#include <unistd.h>

#include "devices/doorbell/doorbell.h"
#include "devices/entropy/entropy.h"
#include "devices/serial/serial.h"
#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

/* ---- entropy ---- */

static struct fake_machine machine;

static void begin_entropy(void)
{
    struct virtio_device *device = NULL;

    log_configure(-1, LOG_LEVEL_ERROR);
    assert_int_equal(entropy_create(&device, NULL), 0);
    fake_machine_create(&machine, device);
    fake_start(&machine, 0, 8);
}

static void buffers_are_filled(void **state)
{
    static const uint8_t zeroes[64];
    const struct fake_buffer buffers[] = {{0x100000, 64, true}, {0x110000, 64, true}};
    uint32_t head = 0;
    uint32_t size = 0;

    (void)state;
    begin_entropy();
    fake_add(&machine, 0, buffers, 2);
    fake_add(&machine, 0, buffers, 2);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_pop(&machine, 0, &head, &size));
    assert_int_equal(size, 128);
    assert_memory_not_equal(fake_at(&machine, 0x100000), zeroes, 64);
    assert_memory_not_equal(fake_at(&machine, 0x110000), zeroes, 64);
    assert_memory_not_equal(fake_at(&machine, 0x100000), fake_at(&machine, 0x110000), 64);
    assert_true(fake_pop(&machine, 0, &head, &size));
    fake_machine_destroy(&machine);
}

static void a_huge_buffer_is_filled_in_part(void **state)
{
    const struct fake_buffer buffer = {FAKE_HIGH_BASE, FAKE_REGION_SIZE, true};
    uint32_t head = 0;
    uint32_t size = 0;

    (void)state;
    begin_entropy();
    fake_add(&machine, 0, &buffer, 1);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_pop(&machine, 0, &head, &size));
    assert_int_equal(size, 4096);
    assert_int_equal(machine.high[5000], 0);
    fake_machine_destroy(&machine);
}

static void a_readable_buffer_fails_the_device(void **state)
{
    const struct fake_buffer buffer = {0x100000, 64, false};

    (void)state;
    begin_entropy();
    fake_add(&machine, 0, &buffer, 1);
    fake_notify(&machine, 0);
    assert_true(fake_run(&machine, 10));
    assert_true(fake_read(&machine, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
    fake_machine_destroy(&machine);
}

/* ---- doorbell ---- */

static unsigned marks, exits, panics;
static uint32_t last;

static void on_mark(void *opaque, uint32_t mark)
{
    (void)opaque;
    marks++;
    last = mark;
}

static void on_exit_status(void *opaque, uint8_t status)
{
    (void)opaque;
    exits++;
    last = status;
}

static void on_panic(void *opaque)
{
    (void)opaque;
    panics++;
}

static struct doorbell doorbell = {.host = {NULL, on_mark, on_exit_status, on_panic, NULL}};

static void ring(uint32_t value, uint32_t size)
{
    uint8_t data[8] = {0};

    store_le32(data, value);
    doorbell_write(&doorbell, data, size);
}

static void calls_reach_the_host(void **state)
{
    (void)state;
    ring(DOORBELL_VALUE(DOORBELL_MARK, 0xabcdef), 4);
    assert_int_equal(marks, 1);
    assert_int_equal(last, 0xabcdef);
    ring(DOORBELL_VALUE(DOORBELL_EXIT, 0x1ff), 4);
    assert_int_equal(exits, 1);
    assert_int_equal(last, 255);
    ring(DOORBELL_VALUE(DOORBELL_PANIC, 0), 4);
    assert_int_equal(panics, 1);
    ring(DOORBELL_NULL, 4);
    assert_int_equal(doorbell.calls, 4);
}

static void other_writes_are_counted_and_ignored(void **state)
{
    uint64_t before = doorbell.calls;
    unsigned events = marks + exits + panics;

    (void)state;
    ring(DOORBELL_VALUE(99, 1), 4);
    ring(DOORBELL_EXIT, 1);
    ring(DOORBELL_EXIT, 2);
    ring(DOORBELL_EXIT, 8);
    assert_int_equal(doorbell.calls, before + 4);
    assert_int_equal(marks + exits + panics, events);
}

static void a_read_returns_the_signature(void **state)
{
    uint8_t data[8];

    (void)state;
    memset(data, 0xff, sizeof(data));
    doorbell_read(&doorbell, data, 4);
    assert_memory_equal(data, "MVM1\xff", 5);
    doorbell_read(&doorbell, data, 8);
    assert_memory_equal(data, "MVM1\0\0\0\0", 8);
    doorbell_read(&doorbell, data, 1);
    assert_int_equal(data[0], 'M');
}

/* ---- serial port ---- */

static uint8_t serial_in(struct serial *serial, uint16_t offset)
{
    uint8_t value = 0xee;

    serial_read(serial, offset, &value, 1);
    return value;
}

static void serial_out(struct serial *serial, uint16_t offset, uint8_t value)
{
    serial_write(serial, offset, &value, 1);
}

static void characters_are_transmitted(void **state)
{
    struct serial serial = {0};
    char text[8];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    serial.output_fd = ends[1];
    assert_int_equal(serial_in(&serial, 5) & 0x60, 0x60);
    serial_out(&serial, 0, 'o');
    serial_out(&serial, 3, 0x80); /* now the data port is the divisor's */
    serial_out(&serial, 0, 'x');
    serial_out(&serial, 1, 'x');
    assert_int_equal(serial_in(&serial, 3), 0x80);
    serial_out(&serial, 3, 0x03);
    serial_out(&serial, 0, 'k');
    for (uint16_t offset = 1; offset < SERIAL_PORT_COUNT; offset++)
        serial_out(&serial, offset, 0);
    assert_int_equal(read(ends[0], text, sizeof(text)), 2);
    assert_memory_equal(text, "ok", 2);
    close(ends[0]);
    close(ends[1]);
}

static void without_output_characters_are_dropped(void **state)
{
    struct serial serial = {.output_fd = -1};

    (void)state;
    serial_out(&serial, 0, 'x');
    assert_int_equal(serial_in(&serial, 0), 0);
    assert_int_equal(serial_in(&serial, 2), 1);
    assert_int_equal(serial_in(&serial, 700), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_are_filled),
        cmocka_unit_test(a_huge_buffer_is_filled_in_part),
        cmocka_unit_test(a_readable_buffer_fails_the_device),
        cmocka_unit_test(calls_reach_the_host),
        cmocka_unit_test(other_writes_are_counted_and_ignored),
        cmocka_unit_test(a_read_returns_the_signature),
        cmocka_unit_test(characters_are_transmitted),
        cmocka_unit_test(without_output_characters_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
