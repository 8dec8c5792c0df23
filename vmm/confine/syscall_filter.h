/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: system call filters of our own processes (seccomp_filter of Linux,
 * userspace-api/seccomp_filter), made from a table of what is allowed. Nothing is allocated, so a
 * process that is short of memory is confined all the same.
 */
#ifndef MICROVM_CONFINE_SYSCALL_FILTER_H
#define MICROVM_CONFINE_SYSCALL_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

/* Arguments are compared by their low 32 bits, which is all that the kernel looks at in the calls
 * for which we ask, but for ARGUMENTS_ZERO. */
enum syscall_condition {
    SYSCALL_ALWAYS,
    SYSCALL_ARGUMENT_IS,
    SYSCALL_ARGUMENT_IS_NOT,
    SYSCALL_ARGUMENT_LACKS,       /* each bit of the value */
    SYSCALL_ARGUMENTS_ZERO,       /* those whose bits, from 0, are in the value */
    SYSCALL_FIRST_IS_OWN_PROCESS, /* the process that loads the filter */
    SYSCALL_FAILS,                /* is not allowed: its error is the value */
};

/* One call may have several rules; what one of them allows is allowed. */
struct syscall_rule {
    uint32_t call; /* __NR_… */
    enum syscall_condition condition;
    uint32_t argument; /* number of it, from 0 */
    uint32_t value;
};

/*
 * Confines all threads of this process for good. `otherwise` is what happens to all other calls
 * (SECCOMP_RET_…); calls of another architecture's table kill the process. Wants no_new_privs.
 * Errors: E2BIG (too many rules), those of seccomp(2).
 */
int syscall_filter_load(const struct syscall_rule *rules, size_t count, uint32_t otherwise,
                        struct error *err);

#endif
