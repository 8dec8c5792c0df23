/* SPDX-License-Identifier: Apache-2.0 */
/* The early serial port and its connection to the console's output. */
#ifndef MICROVM_MACHINE_EARLY_SERIAL_H
#define MICROVM_MACHINE_EARLY_SERIAL_H

#include "devices/serial/serial.h"
#include "vmm/base/error.h"
#include "vmm/machine/event_loop.h"
#include "vmm/machine/machine_callbacks.h"
#include "vmm/machine/vcpu_loop.h"

struct early_serial {
    struct serial serial;
    const struct machine_callbacks *host;
    struct event_loop *loop;
    int read_fd, write_fd; /* a pipe from the vCPU threads to the I/O loop */
};

#define EARLY_SERIAL_INIT                                                                          \
    {                                                                                              \
        .read_fd = -1, .write_fd = -1,                                                             \
    }

int early_serial_create(const struct machine_callbacks *host, struct event_loop *loop,
                        struct vcpu_shared *shared, struct early_serial *early, struct error *err);
void early_serial_destroy(struct early_serial *early); /* safe on EARLY_SERIAL_INIT */

#endif
