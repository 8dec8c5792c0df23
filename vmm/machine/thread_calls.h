/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that the threads of a running machine need, gathered from the parts that make them.
 */
#ifndef MICROVM_MACHINE_THREAD_CALLS_H
#define MICROVM_MACHINE_THREAD_CALLS_H

#include "vmm/base/syscall_rule.h"
#include "vmm/machine/machine_callbacks.h"

#define THREAD_CALLS_MAX 24 /* lists */

struct thread_calls {
    struct syscall_rules lists[THREAD_CALLS_MAX];
    size_t count;
};

/* The lists that every thread of this kind needs; what is called most often comes first. */
void thread_calls_begin(struct thread_calls *calls, enum machine_thread thread);

/* Adds another one; an empty one is left out. */
void thread_calls_add(struct thread_calls *calls, struct syscall_rules more);

#endif
