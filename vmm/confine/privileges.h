/* SPDX-License-Identifier: Apache-2.0 */
/* What one of our own processes drops for good: its user, capabilities, ways to gain new ones, core
 * dumps. */
#ifndef MICROVM_CONFINE_PRIVILEGES_H
#define MICROVM_CONFINE_PRIVILEGES_H

#include <stdint.h>

#include "vmm/base/error.h"

/* Switches to this user and group, without supplementary groups. Errors: of setresuid(2). */
int privileges_change_user(uint32_t id, struct error *err);

/* No new privileges by execve(2), no core dumps, no access by the user's other processes. Errors:
 * of prctl(2), setrlimit(2). */
int privileges_lock(struct error *err);

/*
 * Drops all capabilities of this thread and of those it creates later: to be called while there is
 * no other. The bounding set stays: with no_new_privs it has no effect. Errors: of capset(2).
 */
int privileges_drop(struct error *err);

#endif
