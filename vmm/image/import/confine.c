/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: confinement of microvm-import; see confine.h. */
#include "vmm/image/import/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

#define LANDLOCK_ABI_MIN 2            /* the first that can rename from one directory to another */
#define MEMORY_MAX       (8ULL << 30) /* bytes of address space: several times a tree at its bounds */

#define READ_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILES                                                                                \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_REFER)
#define OTHER_FILES                                                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What libc, libarchive and libsquashfs (with its threads) call while they read and write. */
static const char *const allowed[] = {
    /* files that are open */
    "read",
    "write",
    "pread64",
    "pwrite64",
    "readv",
    "writev",
    "lseek",
    "close",
    "dup",
    "fcntl",
    "fstat",
    "fstatfs",
    "fsync",
    "fdatasync",
    "ftruncate",
    "flock",
    "getdents64",
    "fgetxattr",
    "flistxattr",
    "fchdir",
    /* files by name: Landlock says which */
    "openat",
    "newfstatat",
    "stat",
    "lstat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getxattr",
    "lgetxattr",
    "listxattr",
    "llistxattr",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    /* memory */
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    /* threads and the end */
    "clone",
    "clone3",
    "futex",
    "set_robust_list",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "getpid",
    "gettid",
    "tgkill",
    "sched_yield",
    "sched_getaffinity",
    "exit",
    "exit_group",
    /* facts */
    "clock_gettime",
    "getrandom",
    "geteuid",
    "getuid",
    "prlimit64",
    "sysinfo",
    "uname",
    "restart_syscall",
};

static int allow_path(int ruleset, const char *path, uint64_t access, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "%s: cannot open", path);
    if (!S_ISDIR(status.st_mode))
        rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_set_errno(err, errno, "%s: cannot confine the import", path);
    return 0;
}

int confine_files(const char *store, const char *source, struct error *err)
{
    const struct landlock_ruleset_attr attributes = {
        .handled_access_fs = READ_FILES | WRITE_FILES | OTHER_FILES,
    };
    AUTO_CLOSE int ruleset = -1;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int rc;

    if (abi < LANDLOCK_ABI_MIN)
        return 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (ruleset < 0)
        return error_set_errno(err, errno, "cannot confine the import");
    rc = allow_path(ruleset, store, READ_FILES | WRITE_FILES, err);
    if (rc == 0 && source)
        rc = allow_path(ruleset, source, READ_FILES, err);
    if (rc < 0)
        return rc;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_set_errno(err, errno, "cannot confine the import");
    return 0;
}

int confine_system_calls(struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = filter ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < ARRAY_LENGTH(allowed); i++) {
        int number = seccomp_syscall_resolve_name(allowed[i]);

        /* Negative: this architecture does not have it, or only as part of another. */
        if (number >= 0)
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc < 0 ? error_set_errno(err, -rc, "cannot confine the import") : 0;
}

int confine_resources(struct error *err)
{
    const struct rlimit no_core = {0, 0};
    struct rlimit memory;

    if (setrlimit(RLIMIT_CORE, &no_core) < 0 || getrlimit(RLIMIT_AS, &memory) < 0)
        return error_set_errno(err, errno, "cannot confine the import");
    if (memory.rlim_cur > MEMORY_MAX)
        memory.rlim_cur = MEMORY_MAX;
    if (setrlimit(RLIMIT_AS, &memory) < 0)
        return error_set_errno(err, errno, "cannot confine the import");
    return 0;
}
