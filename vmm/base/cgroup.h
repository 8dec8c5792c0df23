/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's cgroups, whichever it has: version 2, version 1, or both ("hybrid"; kernel
 * documentation, admin-guide/cgroup-v2.rst and cgroup-v1/).
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

/* Where the controllers are. A hybrid host counts as CGROUP_V1, which has its controllers. */
enum cgroup_version cgroup_version(void);

/* On a hybrid host, the mount point of the version 2 hierarchy without controllers; else NULL. */
const char *cgroup_hybrid_mount(void);

/*
 * Writes the directory of `controller` ("memory", "cpu", "pids", "devices") for group `path` ("" is
 * the root). Returns false if the host has no such controller ("devices" of version 2 is a program,
 * not a controller, and always present).
 */
bool cgroup_directory(const char *controller, const char *path, char directory[PATH_MAX]);

/* May this process make groups with that controller below `parent`? */
bool cgroup_is_writable(const char *controller, const char *parent);

/* Does the host account for swap, so that it can be limited? */
bool cgroup_limits_swap(void);

/* The peak memory of group `path` in bytes, and its CPU time in microseconds. False if the host
 * does not count it. */
bool cgroup_read_memory_peak(const char *path, uint64_t *bytes);
bool cgroup_read_cpu_time(const char *path, uint64_t *microseconds);

/* Is `path` absolute, not the root, and without a component ".."? */
bool cgroup_path_is_valid(const char *path);

/*
 * Removes group `path` with all groups below it, in every hierarchy; its processes must have ended.
 * Returns false if the kernel does not release them within a tenth of a second, or is short of
 * memory or descriptors: try again later. Returns true for a group that is missing or must not be
 * removed.
 */
bool cgroup_remove(const char *path);

#endif
