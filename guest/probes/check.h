/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the checks in checks.h: what can be seen (check_see.c) and what can be done
 * (check_do.c). Each runs in a child of its own, so that whatever it changes about its process ends
 * with it.
 */
#ifndef MICROVM_GUEST_PROBES_CHECK_H
#define MICROVM_GUEST_PROBES_CHECK_H

#include <sys/types.h>

#include "guest/probes/checks.h"
#include "guest/probes/fact.h"

/* What the host has told. */
struct check_context {
    pid_t outside; /* number of a process of the host that expects to be looked at; 0 = none */
};

#define CHECK_DECLARE(name, ...) void check_##name(const struct check_context *, struct fact *);
CHECKS(CHECK_DECLARE)

/* The lines of the survey of system calls (check_calls.c). */
void check_calls(void);

#endif
