/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor process. */
#ifndef MICROVM_MONITOR_MONITOR_H
#define MICROVM_MONITOR_MONITOR_H

#include "vmm/base/syscall_rule.h"
#include "vmm/machine/machine_callbacks.h"

/*
 * Builds the VM that the descriptor "machine" describes, runs it, and serves the clients at
 * "control" until it ends; returns the exit status. `names`: the names of the descriptors from
 * monitor_launch() (vmm/base/fd_table.h); nothing is opened by a path. `plan`: the plan of its
 * jail, as text (vmm/confine/jail.h).
 */
int monitor_main(const char *names, const char *plan);

/* The system calls that such a thread of a monitor may make, with all kinds of devices: writes
 * their numbers to calls[] (room for `max`); returns their count. */
size_t monitor_thread_calls(enum machine_thread thread, uint32_t *calls, size_t max);

/* System calls of the I/O loop's thread in addition to those of vmm/machine/thread_calls.h. */
struct syscall_rules monitor_calls(void);

#endif
