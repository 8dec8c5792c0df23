/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that a thread needs, as data beside the code that makes them. The code that confines
 * the thread gathers the lists and builds a filter (vmm/confine/syscall_filter.h).
 */
#ifndef MICROVM_BASE_SYSCALL_RULE_H
#define MICROVM_BASE_SYSCALL_RULE_H

#include <stddef.h>
#include <stdint.h>

/* Arguments are compared by their low 32 bits: the kernel uses no more of them in the calls listed
 * here, except for ARGUMENTS_ZERO. */
enum syscall_condition {
    SYSCALL_ALWAYS,
    SYSCALL_ARGUMENT_IS,
    SYSCALL_ARGUMENT_IS_NOT,
    SYSCALL_ARGUMENT_LACKS,       /* each bit of the value */
    SYSCALL_ARGUMENTS_ZERO,       /* the arguments whose bits, from 0, are set in the value */
    SYSCALL_FIRST_IS_OWN_PROCESS, /* the process that loads the filter */
    SYSCALL_FAILS,                /* is not allowed: its error is the value */
};

/* One call may have several rules: it is allowed if one of them allows it. */
struct syscall_rule {
    uint32_t call; /* __NR_… */
    enum syscall_condition condition;
    uint32_t argument; /* number of it, from 0 */
    uint32_t value;
};

struct syscall_rules {
    const struct syscall_rule *rules;
    size_t count;
};

/* sendto(2) and recvfrom(2) on connected sockets: no address is given. */
#define SYSCALL_NO_ADDRESS (1U << 4 | 1U << 5)

#endif
