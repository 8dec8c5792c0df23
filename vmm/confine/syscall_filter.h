/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call filters of our own processes (seccomp_filter of Linux, userspace-api/seccomp_filter),
 * made from lists of what is allowed. Nothing is allocated, so a process is confined even when
 * memory is short.
 */
#ifndef MICROVM_CONFINE_SYSCALL_FILTER_H
#define MICROVM_CONFINE_SYSCALL_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/syscall_rule.h"

/*
 * Confines the calling thread, and those that it creates later, for good. `otherwise` is what
 * happens to calls that no rule allows (SECCOMP_RET_…); calls of another architecture kill the
 * process. A call that several lists allow without a condition costs one comparison. Needs
 * no_new_privs. Errors: E2BIG (too many rules), those of seccomp(2).
 */
int syscall_filter_load(const struct syscall_rules *lists, size_t count, uint32_t otherwise,
                        struct error *err);

/*
 * The calls that these lists allow, to be shown: writes the number of each, once, to calls[] (room
 * for `max`), and returns their count. Some are only allowed with certain arguments.
 */
size_t syscall_filter_calls(const struct syscall_rules *lists, size_t count, uint32_t *calls,
                            size_t max);

#endif
