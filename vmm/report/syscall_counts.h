/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a container made, as its init has counted them
 * (guest/init/syscall_trace.h) and told in frames: gathered, and written as a table for people.
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

/* Adds a row that a guest has sent. Errors: EPROTO (impossible numbers, or the row is there). */
int syscall_table_add(struct syscall_table *table, const struct syscall_row *row,
                      struct error *err);

/* Writes the rows, those that took longest first. */
void syscall_table_write(const struct syscall_table *table, FILE *out);

#endif
