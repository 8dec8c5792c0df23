/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal 16550 UART; see serial.h. */
#include "devices/serial/serial.h"

#include <string.h>
#include <unistd.h>

enum {
    TRANSMIT = 0, /* the divisor's low byte while DIVISOR_LATCH is set */
    INTERRUPT_ID = 2,
    LINE_CONTROL = 3,
    LINE_STATUS = 5,

    NO_INTERRUPT = 0x01,
    DIVISOR_LATCH = 0x80,
    TRANSMITTER_EMPTY = 0x60, /* holding and shift register */
};

void serial_read(struct serial *serial, uint16_t offset, void *data, uint32_t size)
{
    uint8_t value = 0;

    memset(data, 0, size);
    if (offset == INTERRUPT_ID)
        value = NO_INTERRUPT;
    else if (offset == LINE_CONTROL)
        value = __atomic_load_n(&serial->line_control, __ATOMIC_RELAXED);
    else if (offset == LINE_STATUS)
        value = TRANSMITTER_EMPTY;
    if (size > 0)
        memcpy(data, &value, 1);
}

void serial_write(struct serial *serial, uint16_t offset, const void *data, uint32_t size)
{
    uint8_t value;

    if (size == 0)
        return;
    memcpy(&value, data, 1);
    if (offset == LINE_CONTROL) {
        __atomic_store_n(&serial->line_control, value, __ATOMIC_RELAXED);
    } else if (offset == TRANSMIT &&
               !(__atomic_load_n(&serial->line_control, __ATOMIC_RELAXED) & DIVISOR_LATCH)) {
        if (serial->output_fd >= 0 && write(serial->output_fd, &value, 1) < 0)
            return; /* A byte that cannot be written is dropped. */
    }
}
