/* SPDX-License-Identifier: Apache-2.0 */
/* gVisor: a container whose kernel is a program, the OCI runtime runsc. */
#include "vmm/sandbox/registry.h"
#include "vmm/sandbox/sandbox_container.h"

static const char *runsc_configuration(bool grouped)
{
    return grouped ? "runtime_option=--network=none\nruntime_signals=1\n"
                   : "runtime_option=--network=none\nruntime_option=--ignore-cgroups\n"
                     "runtime_signals=1\n";
}

static const struct sandbox_runtime runsc = {
    .program = "runsc",
    .package = "runsc",
    .needs_cgroup2 = true,
    .calls_unseen = "gVisor's own kernel handles them, unseen from outside",
    .configuration = runsc_configuration,
};

static int prepare(const struct sandbox_options *options, void **state, struct error *err)
{
    return container_prepare(&sandbox_gvisor, options, state, err);
}

const struct sandbox sandbox_gvisor = {
    .name = "gvisor",
    .title = "gVisor",
    .traits = SANDBOX_NEEDS_ROOT | SANDBOX_OCI_RUNTIME,
    .beneath = "a filtered program of the host",
    .runtime = &runsc,
    .prepare = prepare,
    .transform = container_transform,
    .run = container_run,
    .release = container_release,
};
