/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the checks in checks.h: what can be seen (check_see.c) and what can be done
 * (check_do.c). Each runs in a child of its own, so that changes of the process end with it.
 */
#ifndef MICROVM_GUEST_PROBES_CHECK_H
#define MICROVM_GUEST_PROBES_CHECK_H

#include <sys/types.h>

#include "guest/probes/checks.h"
#include "guest/probes/fact.h"

/* What microvm passed. */
struct check_context {
    pid_t outside; /* id of a process of the host, the target of checks; 0 = none */
};

#define CHECK_DECLARE(name, ...) void check_##name(const struct check_context *, struct fact *);
CHECKS(CHECK_DECLARE)

/* Writes the list of system calls (check_calls.c). */
void check_calls(void);

#endif
