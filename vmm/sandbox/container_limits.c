/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a container on the host; see container_limits.h. */
#include "vmm/sandbox/container_limits.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "vmm/base/cgroup.h"
#include "vmm/base/log.h"
#include "vmm/sandbox/registry.h"

#define MEMORY_MINIMUM (6ULL << 20) /* docker's */
#define MEMORY_MAXIMUM (1ULL << 62) /* config.json has signed numbers, and swap on top */

int container_limits_check(const struct sandbox_options *options, struct error *err)
{
    const char *parent = options->cgroup_parent;
    uint64_t memory = options->limits.memory_bytes;

    if (memory > 0 && memory < MEMORY_MINIMUM)
        return error_set(err, ERANGE, "--memory: %llu KiB is too little; give at least 6m",
                         (unsigned long long)memory >> 10);
    if (memory >= MEMORY_MAXIMUM)
        return error_set(err, ERANGE, "--memory: %llu MiB is more than there can be",
                         (unsigned long long)memory >> 20);
    if (parent && !cgroup_path_is_valid(parent))
        return error_set(err, EINVAL,
                         "--cgroup-parent: '%s' is not an absolute path within /sys/fs/cgroup",
                         parent);
    return 0;
}

bool container_limits_can_group(const char *parent)
{
    if (geteuid() == 0 && !cgroup_is_writable("devices", parent))
        return false;
    return cgroup_is_writable("memory", parent) || cgroup_is_writable("cpu", parent) ||
           cgroup_is_writable("pids", parent);
}

bool container_limits_are_ignored(const char *runtime_path)
{
    const struct sandbox_runtime *runtime = sandbox_runtime_find(runtime_path);

    return runtime && runtime->needs_cgroup2 && cgroup_version() != CGROUP_V2;
}

/* Whether a limit of `controller` can be enforced; warns by the option's name when it cannot. */
static bool can_limit(const char *controller, const char *option, const char *runtime_path,
                      const char *parent)
{
    char directory[PATH_MAX];

    if (container_limits_are_ignored(runtime_path)) {
        log_warning("%s is not enforced: %s limits by cgroups of version 2 only", option,
                    sandbox_runtime_find(runtime_path)->program);
        return false;
    }
    if (cgroup_is_writable(controller, parent)) {
        if (container_limits_can_group(parent))
            return true;
        controller = "devices"; /* the one that is missing */
    }
    if (cgroup_version() == CGROUP_NONE)
        log_warning("%s is not enforced: no cgroups are mounted at /sys/fs/cgroup", option);
    else if (!cgroup_directory(controller, "", directory))
        log_warning("%s is not enforced: this host has no %s controller in /sys/fs/cgroup", option,
                    controller);
    else
        log_warning("%s is not enforced: cgroup %s is not writable for you; run as root, or name "
                    "a delegated one by --cgroup-parent",
                    option, *parent ? parent : "/");
    return false;
}

void container_limits_apply(const struct sandbox_limits *limits, const char *runtime_path,
                            const char *parent, struct oci_resources *resources)
{
    if (limits->memory_bytes > 0 && can_limit("memory", "--memory", runtime_path, parent)) {
        resources->memory_limit = limits->memory_bytes;
        /* As with docker: as much swap as memory, where the kernel counts it. */
        resources->memory_swap = cgroup_limits_swap() ? 2 * limits->memory_bytes : 0;
    }
    if (limits->millicpus > 0 && can_limit("cpu", "--cpus", runtime_path, parent))
        resources->millicpus = limits->millicpus;
    if (limits->pids > 0 && can_limit("pids", "--pids-limit", runtime_path, parent))
        resources->pids_limit = limits->pids;
}
