/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A minimal 16550 UART, for `earlycon=uart8250,io,0x3f8`: transmit, and a line status that is
 * always ready. For kernels that fail before their console works; off by default.
 */
#ifndef MICROVM_DEVICES_SERIAL_SERIAL_H
#define MICROVM_DEVICES_SERIAL_SERIAL_H

#include <stdint.h>

#define SERIAL_PORT       0x3f8
#define SERIAL_PORT_COUNT 8

struct serial {
    int output_fd;        /* not owned; a byte that cannot be written at once is dropped */
    uint8_t line_control; /* starts at 0; its top bit turns the data port into a divisor */
};

/* Access to port SERIAL_PORT + `offset`; vCPU threads. Registers have one byte. */
void serial_read(struct serial *serial, uint16_t offset, void *data, uint32_t size);
void serial_write(struct serial *serial, uint16_t offset, const void *data, uint32_t size);

#endif
