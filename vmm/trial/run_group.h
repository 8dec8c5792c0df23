/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control group for each run, whose counters say what all of the run has cost.
 *
 * /microvm-compare.PID.N, where PID is ours, holds two groups: `run`, which the run joins with all
 * it starts, and, made beside it by `microvm run --cgroup-parent`, the container's own. (With
 * version 2 a group that limits others holds no processes itself.) The counters of the outer one
 * hold what was below it, also when that is gone.
 */
#ifndef MICROVM_TRIAL_RUN_GROUP_H
#define MICROVM_TRIAL_RUN_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"

struct run_group {
    char path[64]; /* "/microvm-compare.PID.N", within the hierarchies; "" = none */
    int joins[2];  /* cgroup.procs of `run`, open for writing; with version 1 two hierarchies */
    size_t join_count;
};

/*
 * Can groups be made here that count memory and processor time? Removes those that processes which
 * are gone have left. Errors: ENOENT, EACCES; the message says what is missing.
 */
int run_group_prepare(struct error *err);

/* Makes the group of run number `number`. Errors: of mkdir(2), open(2); then nothing is left. */
int run_group_create(unsigned number, struct run_group *group, struct error *err);

/* Removes it; processes that are still in it are killed. Safe on a zeroed object. */
#define AUTO_RUN_GROUP __attribute__((cleanup(run_group_destroy)))
void run_group_destroy(struct run_group *group);

/* Whose group has this name (without a slash); 0 = it is none of ours. */
pid_t run_group_owner(const char *name);

#endif
