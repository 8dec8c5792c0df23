/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: what the monitor gives up before it lets a guest run. */
#ifndef MICROVM_CONFINE_JAIL_H
#define MICROVM_CONFINE_JAIL_H

#include <stddef.h>

#include "vmm/base/error.h"

/*
 * Drops what root has: all capabilities, of this thread and of those it makes from here on, and the
 * way to new ones; and core dumps, which would hold the guest's memory. To be called while there is
 * no other thread, when all files are open. The bounding set stays: without execve(2), and with
 * no_new_privs, nothing is bound by it.
 */
int jail_drop_privileges(struct error *err);

/*
 * From here on no thread of this process can make a system call that a running monitor does not
 * need; the first attempt kills the process (SIGSYS). No way back, and no new threads. After
 * jail_drop_privileges().
 */
int jail_enter(struct error *err);

/*
 * The system calls that jail_enter() leaves, for those who want to show them: writes the number of
 * each, once, to calls[] (room for `max`), and returns how many there are. Some of them are left
 * only with certain arguments.
 */
size_t jail_calls(unsigned *calls, size_t max);

#endif
