/* SPDX-License-Identifier: Apache-2.0 */
/* What a process of ours drops for good: its user, capabilities, the way to new ones, core dumps.
 */
#ifndef MICROVM_CONFINE_PRIVILEGES_H
#define MICROVM_CONFINE_PRIVILEGES_H

#include <stdint.h>

#include "vmm/base/error.h"

/* Becomes this user and group, without any other group. Errors: of setresuid(2). */
int privileges_change_user(uint32_t id, struct error *err);

/* No new privileges by execve(2), no core dumps, no other process of the user may look into it.
 * Errors: of prctl(2), setrlimit(2). */
int privileges_lock(struct error *err);

/*
 * Drops all capabilities, of this thread and of those it makes from here on: to be called while
 * there is no other. The bounding set stays: with no_new_privs nothing is bound by it. Errors: of
 * capset(2).
 */
int privileges_drop(struct error *err);

#endif
