/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: confinement of microvm-import; see confine.h. */
#include "vmm/image/import/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

#define ADDRESSES_MAX (8ULL << 30) /* bytes: several times a tree at its bounds */
/* For names, links and attributes; contents are in files. 2 million files need less than half. */
#define DATA_MAX        (4ULL << 30)
#define DESCRIPTORS_MAX 64

/* What glibc asks of clone(2) for a thread; none of it is a namespace. */
#define THREAD_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |            \
     CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define WRITING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* All that Landlock knows, from its first version on; a kernel handles what it knows of it. */
static const uint64_t landlock_rights[] = {
    (1ULL << 13) - 1, /* version 1: from EXECUTE to MAKE_SYM */
    (1ULL << 14) - 1, /* 2: REFER */
    (1ULL << 15) - 1, /* 3: TRUNCATE */
    (1ULL << 15) - 1, /* 4: network */
    (1ULL << 16) - 1, /* 5: IOCTL_DEV */
};

/* What libc, libarchive and libsquashfs (with its threads) call while they parse and write. */
static const char *const parsing[] = {
    /* files that are open */
    "read",
    "pread64",
    "readv",
    "lseek",
    "close",
    "fstat",
    "newfstatat", /* glibc's fstat() */
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    /* threads and the end */
    "futex",
    "set_robust_list",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "getpid",
    "gettid",
    "sched_yield",
    "sched_getaffinity",
    "exit",
    "exit_group",
    "restart_syscall",
    /* facts */
    "clock_gettime",
    "getrandom",
    "geteuid",
    "getuid",
    "sysinfo",
};

/* What packing a directory takes beyond that, and the next step. */
static const char *const reading[] = {
    "write",
    "pwrite64",
    "writev",
    "ftruncate",
    "recvmsg",
    "dup",
    "fcntl",
    "fchdir",
    "fstatfs",
    "statx",
    "stat",
    "lstat",
    "access",
    "faccessat",
    "faccessat2",
    "getdents64",
    "readlink",
    "readlinkat",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    "mmap",
    "mprotect",
    "prlimit64",
    "prctl",
    "capget",
    "capset",
    "chroot",
    "chdir",
    "unshare",
    "seccomp",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "landlock_add_rule",
};

static int failed(struct error *err, int code)
{
    return error_set_errno(err, code, "cannot confine the import");
}

static int limit(int resource, uint64_t most, struct error *err)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
        return failed(err, errno);
    if (now.rlim_max > most)
        now.rlim_max = most;
    now.rlim_cur = now.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &now) < 0 ? failed(err, errno) : 0;
}

int confine_process(uint64_t seconds, uint64_t file_max, struct error *err)
{
    struct sysinfo host;
    uint64_t data = DATA_MAX;
    int rc = 0;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
        close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
        return failed(err, errno);
    if (sysinfo(&host) == 0 && data > (uint64_t)host.totalram * host.mem_unit / 2)
        data = (uint64_t)host.totalram * host.mem_unit / 2;
    {
        const struct {
            int resource;
            uint64_t most;
        } limits[] = {
            {RLIMIT_CORE, 0},
            {RLIMIT_AS, ADDRESSES_MAX},
            {RLIMIT_DATA, data},
            {RLIMIT_FSIZE, file_max},
            {RLIMIT_NOFILE, DESCRIPTORS_MAX},
            {RLIMIT_CPU, seconds * (uint64_t)get_nprocs()},
            {RLIMIT_MEMLOCK, 0},
            {RLIMIT_MSGQUEUE, 0},
        };

        for (size_t i = 0; rc == 0 && i < ARRAY_LENGTH(limits); i++)
            rc = limit(limits[i].resource, limits[i].most, err);
    }
    return rc;
}

/* Keeps `kept` in the permitted and effective sets, nothing in the others. */
static int drop_capabilities(uint64_t kept, struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};

    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability); /* without the right to, there are none to keep */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &header, sets) < 0)
        return failed(err, errno);
    for (int i = 0; i < 2; i++) {
        sets[i].permitted &= (uint32_t)(kept >> (32 * i));
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, sets) < 0 ? failed(err, errno) : 0;
}

/* Reading beneath `directory` (-1: nothing) and no other use of files. */
static int restrict_files(int directory, struct error *err)
{
    struct landlock_ruleset_attr attributes = {0};
    struct landlock_path_beneath_attr beneath = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
        .parent_fd = directory,
    };
    AUTO_CLOSE int ruleset = -1;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (version <= 0)
        return 0;
    if (version > (long)ARRAY_LENGTH(landlock_rights))
        version = ARRAY_LENGTH(landlock_rights);
    attributes.handled_access_fs = landlock_rights[version - 1];
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
                           sizeof(attributes.handled_access_fs), 0);
    if (ruleset < 0)
        return failed(err, errno);
    if (directory >= 0 &&
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
        return failed(err, errno);
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? failed(err, errno) : 0;
}

static int allow(scmp_filter_ctx filter, const char *const names[], size_t count)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);

        /* Negative: this architecture does not have it, or only as part of another. */
        if (number >= 0)
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    return rc;
}

/* Threads, and signals to them. */
static int allow_threads(scmp_filter_ctx filter)
{
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_EQ, THREAD_FLAGS));

    /* Its flags lie in memory, where no filter sees them: glibc takes clone(2) then. */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    return rc;
}

static int allow_parsing(scmp_filter_ctx filter, int channel, int source)
{
    static const int writing[] = {SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
                                  SCMP_SYS(ftruncate)};
    int rc = allow(filter, parsing, ARRAY_LENGTH(parsing));

    for (size_t i = 0; rc == 0 && i < ARRAY_LENGTH(writing); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, writing[i], 1,
                              SCMP_A0_32(SCMP_CMP_NE, (uint32_t)source));
    if (rc == 0 && channel >= 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 1,
                              SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)channel));
    /* Nothing that could be executed. */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* Not F_SETOWN, which sends signals; not F_DUPFD, which hides the source behind a number. */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1_32(SCMP_CMP_EQ, F_GETFL));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1_32(SCMP_CMP_EQ, F_GETFD));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1_32(SCMP_CMP_EQ, F_SETFD));
    /* Own limits, to be read. */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                              SCMP_A0_32(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
    return rc;
}

static int load_filter(bool is_parsing, int channel, int source, struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = filter ? 0 : -ENOMEM;

    if (rc == 0)
        rc = allow_threads(filter);
    if (rc == 0 && is_parsing)
        rc = allow_parsing(filter, channel, source);
    if (rc == 0 && !is_parsing)
        rc = allow(filter, parsing, ARRAY_LENGTH(parsing));
    if (rc == 0 && !is_parsing)
        rc = allow(filter, reading, ARRAY_LENGTH(reading));
    if (rc == 0 && !is_parsing)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                              SCMP_A2_32(SCMP_CMP_MASKED_EQ, WRITING, 0));
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc < 0 ? failed(err, -rc) : 0;
}

int confine_to_reading(int directory, struct error *err)
{
    /* Files of others, and the attributes trusted.*; CAP_SYS_CHROOT is for the next step. */
    uint64_t kept = 1ULL << CAP_SYS_CHROOT;
    int rc;

    if (directory >= 0)
        kept |= 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SYS_ADMIN;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed(err, errno);
    rc = drop_capabilities(kept, err);
    if (rc == 0)
        rc = restrict_files(directory, err);
    return rc < 0 ? rc : load_filter(false, -1, -1, err);
}

/*
 * A root directory with nothing in it: the calls that are left can ask for the size and owner of a
 * file by its name. Without the right to change the root, a user namespace may give it; where it
 * does not, that much can be asked.
 */
static void leave_root(void)
{
    static const char empty[] = "/proc/self/fdinfo";

    if (chroot(empty) < 0 && (unshare(CLONE_NEWUSER) < 0 || chroot(empty) < 0))
        return;
    if (chdir("/") < 0)
        _exit(EXIT_FAILURE);
}

int confine_to_parsing(int channel, int source, struct error *err)
{
    int rc;

    leave_root();
    rc = drop_capabilities(0, err);
    if (rc == 0)
        rc = restrict_files(-1, err);
    return rc < 0 ? rc : load_filter(true, channel, source, err);
}
