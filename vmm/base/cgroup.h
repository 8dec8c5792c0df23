/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups of this machine as they are found: version 2, version 1, or both side by
 * side ("hybrid"; kernel documentation, admin-guide/cgroup-v2.rst and cgroup-v1/).
 *
 * A group is named by its path within the hierarchies, such as "/microvm-quiet_owl". With version 1
 * it is one directory in each controller's hierarchy.
 */
#ifndef MICROVM_BASE_CGROUP_H
#define MICROVM_BASE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

#define CGROUP_TOP "/sys/fs/cgroup"

enum cgroup_version { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

/* Where the controllers are. Hybrid hosts count as CGROUP_V1: there the controllers are. */
enum cgroup_version cgroup_version(void);

/* Of a hybrid host: the mount point of the version 2 hierarchy without controllers; else NULL. */
const char *cgroup_hybrid_mount(void);

/*
 * Writes the directory of `controller` ("memory", "cpu", "pids", "devices") for group `path` ("" is
 * the root). Returns false when this machine has no such controller ("devices" of version 2 is a
 * program, not a controller, and always there).
 */
bool cgroup_directory(const char *controller, const char *path, char directory[PATH_MAX]);

/* May this process make groups with that controller below `parent`? */
bool cgroup_is_writable(const char *controller, const char *parent);

/* Does this machine count swap, so that it can be limited? */
bool cgroup_limits_swap(void);

/* Most bytes of memory that group `path` ever had, and its processors' time in microseconds. False
 * when the machine does not count it. */
bool cgroup_read_memory_peak(const char *path, uint64_t *bytes);
bool cgroup_read_cpu_time(const char *path, uint64_t *microseconds);

/* Is `path` absolute, not the root, and without a component ".."? */
bool cgroup_path_is_valid(const char *path);

/*
 * Removes group `path` with all below it, in every hierarchy; its processes have ended. Returns
 * false when the kernel has not let go of them yet, within a tenth of a second, or is short of
 * something: try again later.
 * What is not there, or must not be removed, is fine.
 */
bool cgroup_remove(const char *path);

#endif
