/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of a container, counted by its init (guest/init/syscall_trace.h) and sent in
 * frames: collected, and written as a table.
 */
#ifndef MICROVM_REPORT_SYSCALL_COUNTS_H
#define MICROVM_REPORT_SYSCALL_COUNTS_H

#include <stdint.h>
#include <stdio.h>

#include "guest/protocol.h"
#include "vmm/base/error.h"

struct syscall_row {
    uint32_t number; /* below PROTOCOL_SYSCALL_NUMBERS, or PROTOCOL_SYSCALL_OTHER */
    uint64_t calls, errors, ns;
};

struct syscall_table {
    struct syscall_row rows[PROTOCOL_SYSCALL_NUMBERS + 1];
    unsigned count;
};

/* Adds a row that a guest has sent. Errors: EPROTO (impossible numbers, or a second row for a
 * call). */
int syscall_table_add(struct syscall_table *table, const struct syscall_row *row,
                      struct error *err);

/* Writes the rows, longest time first. */
void syscall_table_write(const struct syscall_table *table, FILE *out);

#endif
