/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of seccomp_profile.h. */
#include "vmm/oci/seccomp_profile.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/base/bytes.h"

/* The newest call that the list below has been made for: set_mempolicy_home_node of Linux 5.17. */
#define REVIEWED_MAX 450

/* clone(2) with any of these makes a namespace: CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC,
 * _NEWUSER, _NEWPID, _NEWNET. */
#define CLONE_NAMESPACES 0x7E020000

static const char *const names_64[] = {
#include <gen/syscall_names.inc>
};
static const char *const names_32[] = {
#include <gen/syscall_names_32.inc>
};

static const char *const blocked[] = {
    /* Mounts and namespaces: what the container's isolation is made of. */
    "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "unshare", "setns", "sethostname", "setdomainname",
    /* The kernel's own code: modules, another kernel, programs that run in it. */
    "init_module", "finit_module", "delete_module", "create_module", "query_module",
    "get_kernel_syms", "kexec_load", "kexec_file_load", "bpf", "reboot",
    /* The host's clock, ports, swap, quotas, accounting, terminals, log. */
    "settimeofday", "clock_settime", "clock_settime64", "stime", "ioperm", "iopl", "swapon",
    "swapoff", "quotactl", "quotactl_fd", "acct", "vhangup", "syslog",
    /* Other processes' descriptors and memory advice; files by handle, past every path. */
    "kcmp", "pidfd_getfd", "process_madvise", "open_by_handle_at", "lookup_dcookie",
    "fanotify_init",
    /* Keys are not in a namespace. */
    "add_key", "request_key", "keyctl",
    /* Where memory lies is for the host's owner to say. */
    "mbind", "get_mempolicy", "set_mempolicy", "set_mempolicy_home_node", "migrate_pages",
    "move_pages",
    /* Large parts of the kernel with many past holes, which few programs need. */
    "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open",
    /* Obsolete. */
    "_sysctl", "sysfs", "uselib", "ustat", "nfsservctl", "vm86", "vm86old", "bdflush",
    "afs_syscall", "tuxcall", "vserver", "security", "getpmsg", "putpmsg", "epoll_ctl_old",
    "epoll_wait_old",
    /* Allowed below for some arguments only. */
    "clone", "clone3", "personality", "socket",
    /* socket(2) of 32-bit programs, whose arguments are in memory: libseccomp lets through the
     * calls of it that are allowed by their own names. */
    "socketcall"};

/* Both tables as one; NULL where there is no call, or a newer one. */
static const char *name_at(size_t i)
{
    const bool is_32 = i >= ARRAY_LENGTH(names_64);
    size_t number = is_32 ? i - ARRAY_LENGTH(names_64) : i;

    if (number > REVIEWED_MAX)
        return NULL;
    return is_32 ? names_32[number] : names_64[number];
}

static bool is_blocked(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(blocked); i++)
        if (strcmp(blocked[i], name) == 0)
            return true;
    return false;
}

const char *seccomp_profile_next(size_t *position)
{
    while (*position < ARRAY_LENGTH(names_64) + ARRAY_LENGTH(names_32)) {
        const char *name = name_at((*position)++);

        if (name && !is_blocked(name))
            return name;
    }
    return NULL;
}

const struct seccomp_rule seccomp_profile_rules[] = {
    {"clone", 0, SECCOMP_MASKED_CLEAR, CLONE_NAMESPACES, 0},
    /* Its arguments are in memory, where a filter cannot look: libraries fall back to clone. */
    {"clone3", 0, SECCOMP_NEVER, 0, ENOSYS},
    /* PER_LINUX, PER_LINUX32, UNAME26, both, and the question which it is. */
    {"personality", 0, SECCOMP_EQUAL, 0x0, 0},
    {"personality", 0, SECCOMP_EQUAL, 0x8, 0},
    {"personality", 0, SECCOMP_EQUAL, 0x20000, 0},
    {"personality", 0, SECCOMP_EQUAL, 0x20008, 0},
    {"personality", 0, SECCOMP_EQUAL, 0xffffffff, 0},
    /* Not to the host of a VM from any container in it. The kernel looks at 32 bits of
     * the family, a filter at 64: so the others are named, by AF_MCTP the newest. */
    {"socket", 0, SECCOMP_BELOW, AF_VSOCK, 0},
    {"socket", 0, SECCOMP_EQUAL, AF_KCM, 0},
    {"socket", 0, SECCOMP_EQUAL, AF_QIPCRTR, 0},
    {"socket", 0, SECCOMP_EQUAL, AF_SMC, 0},
    {"socket", 0, SECCOMP_EQUAL, AF_XDP, 0},
    {"socket", 0, SECCOMP_EQUAL, AF_MCTP, 0},
};
const size_t seccomp_profile_rule_count = ARRAY_LENGTH(seccomp_profile_rules);
