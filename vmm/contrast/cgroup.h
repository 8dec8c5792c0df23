/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: a control group for one run, and what its counters say afterwards.
 *
 * Below the root of the hierarchy: microvm-compare.PID.N, where PID is ours, and in it `run`, which
 * the run joins (a group with limits of its own may, in version 2, hold no processes but those of
 * groups below). The container's own group is made beside `run` by `microvm run --cgroup-parent`.
 * The counters are read from the outer group: they hold all that was below, also what is gone.
 *
 * Version 2 has one hierarchy; in version 1 memory and processor time have one each, and the
 * container's group may be made in all of them: all are cleaned up.
 */
#ifndef MICROVM_CONTRAST_CGROUP_H
#define MICROVM_CONTRAST_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

#define CGROUP_NAME_SIZE 64
#define CGROUP_TREES_MAX 16
#define CGROUP_PATH_SIZE 256

/* A mounted hierarchy. */
struct cgroup_tree {
    char mount[CGROUP_PATH_SIZE];
    bool unified; /* version 2 */
    bool memory, cpu;
};

/* Where groups are made on this machine. */
struct cgroup_host {
    struct cgroup_tree trees[CGROUP_TREES_MAX];
    size_t tree_count;
    unsigned made; /* groups so far */
};

/* One run's. */
struct cgroup {
    const struct cgroup_host *host;
    char name[CGROUP_NAME_SIZE]; /* "/microvm-compare.PID.N", below every mount */
    int joins[2];                /* cgroup.procs of the inner groups, open for writing */
    size_t join_count;
};

/*
 * Finds the hierarchies with memory and processor counters that we may make groups in, and removes
 * groups of processes that are gone. Errors: ENOENT (no hierarchy counts memory and processor
 * time), EACCES, EROFS (may not be written to).
 */
int cgroup_find(struct cgroup_host *host, struct error *err);

/* Makes the next run's group. Errors: those of mkdir(2), write(2), open(2); then nothing is left.
 */
int cgroup_create(struct cgroup_host *host, struct cgroup *group, struct error *err);

/* Bytes, the most that all of it held at one time, page cache included; and microseconds of
 * processor time. Errors: ENOENT (this kernel does not count it), EINVAL. */
int cgroup_memory_peak(const struct cgroup *group, uint64_t *bytes, struct error *err);
int cgroup_cpu_time(const struct cgroup *group, uint64_t *cpu_us, struct error *err);

/* Closes and removes it. Processes that are still in it are killed first. */
void cgroup_destroy(struct cgroup *group);

/* The id in the name of a group of ours, 0 for any other name. For tests, too. */
uint64_t cgroup_owner(const char *name);

#endif
