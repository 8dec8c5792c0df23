/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `run`; see run_options.h. */
#include "vmm/cli/run_options.h"

#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/cli/report_fd.h"
#include "vmm/cli/vm_options.h"
#include "vmm/sandbox/registry.h"

#define AT(member) offsetof(struct run_options, member)

static const struct option_row rows[] = {
    {'i', OPTION_FLAG, "interactive", NULL, "pass standard input to the command", AT(interactive)},
    {'t', OPTION_FLAG, "tty", NULL, "give the command a terminal", AT(terminal)},
    {0, OPTION_FLAG, "rm", NULL, "remove everything afterwards (always done)", AT(remove)},
    {0, OPTION_TEXT, "name", "NAME", "name of the instance (default: two random words)", AT(name)},
    {'e', OPTION_LIST, "env", "NAME[=VALUE]", "set a variable, or pass on the caller's", AT(env)},
    {0, OPTION_LIST, "env-file", "FILE", "read variables from a file", AT(env_files)},
    {'w', OPTION_TEXT, "workdir", "DIR", "working directory of the command", AT(workdir)},
    {'u', OPTION_TEXT, "user", "USER[:GROUP]", "user of the command, name or number", AT(user)},
    {0, OPTION_TEXT, "entrypoint", "PROGRAM", "run this instead of the image's entry point",
     AT(entrypoint)},
    {'m', OPTION_SIZE, "memory", "SIZE", VM_OPTIONS_MEMORY_HELP, AT(memory)},
    {0, OPTION_TEXT, "cpus", "NUMBER", "processors, such as 2 or 1.5 (default 1)", AT(cpus)},
    {'h', OPTION_TEXT, "hostname", "NAME", "host name inside (default: from the name)",
     AT(hostname)},
    {0, OPTION_FLAG, "read-only", NULL, "make the root file system read-only", AT(read_only)},
    {0, OPTION_LIST, "tmpfs", "DIR[:OPTIONS]", "mount an empty file system in memory", AT(tmpfs)},
    {0, OPTION_SIZE, "disk", "SIZE", "keep written files on a disk of this size, not in memory",
     AT(disk)},
    {0, OPTION_TEXT, "kernel", "FILE", "guest kernel (default: the bundled kernel)", AT(kernel)},
    {0, OPTION_TEXT, "initramfs", "FILE", "guest initramfs (default: the bundled one)",
     AT(initramfs)},
    {0, OPTION_TEXT, "network", "none|passt",
     "network of the VM (default: none); passt: connections to others, through the host's sockets",
     AT(network)},
    {'p', OPTION_LIST, "publish", "[IP:]HOST:GUEST[/udp]",
     "a port of the host leads to one of the command's", AT(publish)},
    {0, OPTION_TEXT, "isolation", SANDBOX_NAMES, "what the command runs in (default: the first)",
     AT(isolation)},
    {0, OPTION_TEXT, "runtime", "PROGRAM", "OCI runtime of a container (default: crun, runsc)",
     AT(runtime)},
    {0, OPTION_TEXT, "pids-limit", "NUMBER", "most processes and threads (default: no limit)",
     AT(pids)},
    {0, OPTION_TEXT, "cgroup-parent", "PATH", "parent of a container's cgroup", AT(cgroup_parent)},
    {0, OPTION_TEXT, "program", "FILE",
     "run this static program of the host instead of the image's command", AT(program)},
    {0, OPTION_OPTIONAL, "timeline", VM_OPTIONS_TIMELINE_VALUE, VM_OPTIONS_TIMELINE_HELP,
     AT(timeline)},
    {0, OPTION_OPTIONAL, "explain", "live", "count system calls and VM exits, or trace them live",
     AT(explain)},
    {0, OPTION_FLAG, "earlycon", NULL, "early serial port, for a kernel that dies early",
     AT(earlycon)},
    {0, OPTION_TEXT, "jail", VM_OPTIONS_JAIL_VALUE, VM_OPTIONS_JAIL_HELP, AT(jail)},
    {0, OPTION_TEXT, "jail-uid", "FIRST", VM_OPTIONS_JAIL_UID_HELP, AT(jail_uid)},
    REPORT_FD_ROW(AT(report_fd)),
};

const struct option_table run_option_table = {
    .usage = "run [OPTIONS] IMAGE [COMMAND [ARGUMENT...]]",
    .about = "Runs a command of a container image inside a VM of its own, or, with\n"
             "--isolation=container, the same as a plain container on this host. IMAGE is a\n"
             "stored name[:tag], a digest, an image ID, or a path (./app.tar, /srv/rootfs).",
    .more =
        "Exit status: that of the command; 128+N when signal N ended it; 127 when the command is\n"
        "not found, 126 when it cannot be executed, 125 when microvm itself fails.",
    .rows = rows,
    .count = ARRAY_LENGTH(rows),
};

void run_options_release(struct run_options *options)
{
    string_list_release(&options->env);
    string_list_release(&options->env_files);
    string_list_release(&options->tmpfs);
    string_list_release(&options->publish);
}

const char *run_option_refusal(const char *name)
{
    static const struct {
        const char *name;
        const char *why;
    } refusals[] = {
        {"interactive", "the runs have no standard input"},
        {"tty", "the output of the runs is read, not shown"},
        {"name", "several runs cannot have one name"},
        {"publish", "several runs cannot have one port"},
        {"cgroup-parent", "each run gets a cgroup of its own"},
        {"timeline", "it shows one run; use 'microvm run --timeline'"},
        {"explain", "it shows one run; use 'microvm run --explain'"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        if (strcmp(refusals[i].name, name) == 0)
            return refusals[i].why;
    }
    return NULL;
}
