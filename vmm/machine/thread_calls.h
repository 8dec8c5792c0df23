/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that the threads of a running VM need, gathered from the code that makes them. */
#ifndef MICROVM_MACHINE_THREAD_CALLS_H
#define MICROVM_MACHINE_THREAD_CALLS_H

#include "vmm/base/syscall_rule.h"
#include "vmm/machine/machine_callbacks.h"

#define THREAD_CALLS_MAX 24 /* lists */

struct thread_calls {
    struct syscall_rules lists[THREAD_CALLS_MAX];
    size_t count;
};

/* The lists that every thread of this kind needs; the most frequent calls come first. */
void thread_calls_begin(struct thread_calls *calls, enum machine_thread thread);

/* Adds a list; an empty one is ignored. */
void thread_calls_add(struct thread_calls *calls, struct syscall_rules more);

#endif
