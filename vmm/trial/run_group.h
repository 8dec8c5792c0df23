/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup for each run, whose counters show what the whole run has cost.
 *
 * /microvm-compare.PID.N, where PID is this process, holds two cgroups: `run`, for the run and all
 * processes that it starts, and the container's own, which `microvm run --cgroup-parent` makes.
 * (With version 2, a cgroup that limits others has no processes itself.) The counters of the outer
 * cgroup include the inner ones, also after these are removed.
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
    int joins[2];  /* cgroup.procs of `run`, open for writing; version 1 has two hierarchies */
    size_t join_count;
};

/*
 * Checks that cgroups which count memory and processor time can be made here. Removes those that
 * dead processes have left. Errors: ENOENT, EACCES; the message says what is missing.
 */
int run_group_prepare(struct error *err);

/* Makes the cgroup of run number `number`. Errors: of mkdir(2), open(2); then nothing is left. */
int run_group_create(unsigned number, struct run_group *group, struct error *err);

/* Removes it; processes that are still in it are killed. Safe on a zeroed object. */
#define AUTO_RUN_GROUP __attribute__((cleanup(run_group_destroy)))
void run_group_destroy(struct run_group *group);

/* The process id in the name of a cgroup (without a slash); 0 = not a cgroup of a run. */
pid_t run_group_owner(const char *name);

#endif
