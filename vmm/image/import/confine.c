/* SPDX-License-Identifier: Apache-2.0 */
/* Confinement of microvm-import; see confine.h. */
#include "vmm/image/import/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/confine/landlock.h"
#include "vmm/confine/syscall_filter.h"

#define ADDRESSES_MAX (8ULL << 30) /* bytes: several times the largest tree */
/* For names, links and attributes; contents are in files. 2 million files need less than half. */
#define DATA_MAX        (4ULL << 30)
#define DESCRIPTORS_MAX 64

/* The flags of glibc's clone(2) for a thread; none is a namespace. */
#define THREAD_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |            \
     CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define WRITING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* The calls of libc, libarchive and libsquashfs (with its threads) while they parse and write. */
static const struct syscall_rule parsing[] = {
    /* files that are open */
    {__NR_read, SYSCALL_ALWAYS, 0, 0},
    {__NR_pread64, SYSCALL_ALWAYS, 0, 0},
    {__NR_readv, SYSCALL_ALWAYS, 0, 0},
    {__NR_lseek, SYSCALL_ALWAYS, 0, 0},
    {__NR_close, SYSCALL_ALWAYS, 0, 0},
    {__NR_fstat, SYSCALL_ALWAYS, 0, 0},
    {__NR_newfstatat, SYSCALL_ALWAYS, 0, 0}, /* glibc's fstat() */
    /* memory */
    {__NR_brk, SYSCALL_ALWAYS, 0, 0},
    {__NR_munmap, SYSCALL_ALWAYS, 0, 0},
    {__NR_mremap, SYSCALL_ALWAYS, 0, 0},
    {__NR_madvise, SYSCALL_ALWAYS, 0, 0},
    /* threads and the end */
    {__NR_futex, SYSCALL_ALWAYS, 0, 0},
    {__NR_set_robust_list, SYSCALL_ALWAYS, 0, 0},
    {__NR_rseq, SYSCALL_ALWAYS, 0, 0},
    {__NR_rt_sigaction, SYSCALL_ALWAYS, 0, 0},
    {__NR_rt_sigprocmask, SYSCALL_ALWAYS, 0, 0},
    {__NR_rt_sigreturn, SYSCALL_ALWAYS, 0, 0},
    {__NR_sigaltstack, SYSCALL_ALWAYS, 0, 0},
    {__NR_getpid, SYSCALL_ALWAYS, 0, 0},
    {__NR_gettid, SYSCALL_ALWAYS, 0, 0},
    {__NR_sched_yield, SYSCALL_ALWAYS, 0, 0},
    {__NR_sched_getaffinity, SYSCALL_ALWAYS, 0, 0},
    {__NR_exit, SYSCALL_ALWAYS, 0, 0},
    {__NR_exit_group, SYSCALL_ALWAYS, 0, 0},
    {__NR_restart_syscall, SYSCALL_ALWAYS, 0, 0},
    /* facts */
    {__NR_clock_gettime, SYSCALL_ALWAYS, 0, 0},
    {__NR_getrandom, SYSCALL_ALWAYS, 0, 0},
    {__NR_geteuid, SYSCALL_ALWAYS, 0, 0},
    {__NR_getuid, SYSCALL_ALWAYS, 0, 0},
    {__NR_sysinfo, SYSCALL_ALWAYS, 0, 0},
};

/* Additional calls to pack a directory, and for the next step. */
static const struct syscall_rule reading[] = {
    {__NR_write, SYSCALL_ALWAYS, 0, 0},
    {__NR_pwrite64, SYSCALL_ALWAYS, 0, 0},
    {__NR_writev, SYSCALL_ALWAYS, 0, 0},
    {__NR_ftruncate, SYSCALL_ALWAYS, 0, 0},
    {__NR_recvmsg, SYSCALL_ALWAYS, 0, 0},
    {__NR_dup, SYSCALL_ALWAYS, 0, 0},
    {__NR_fcntl, SYSCALL_ALWAYS, 0, 0},
    {__NR_fchdir, SYSCALL_ALWAYS, 0, 0},
    {__NR_fstatfs, SYSCALL_ALWAYS, 0, 0},
    {__NR_statx, SYSCALL_ALWAYS, 0, 0},
#ifdef __NR_stat
    {__NR_stat, SYSCALL_ALWAYS, 0, 0},
#endif
#ifdef __NR_lstat
    {__NR_lstat, SYSCALL_ALWAYS, 0, 0},
#endif
#ifdef __NR_access
    {__NR_access, SYSCALL_ALWAYS, 0, 0},
#endif
    {__NR_faccessat, SYSCALL_ALWAYS, 0, 0},
    {__NR_faccessat2, SYSCALL_ALWAYS, 0, 0},
    {__NR_getdents64, SYSCALL_ALWAYS, 0, 0},
#ifdef __NR_readlink
    {__NR_readlink, SYSCALL_ALWAYS, 0, 0},
#endif
    {__NR_readlinkat, SYSCALL_ALWAYS, 0, 0},
    {__NR_getxattr, SYSCALL_ALWAYS, 0, 0},
    {__NR_lgetxattr, SYSCALL_ALWAYS, 0, 0},
    {__NR_fgetxattr, SYSCALL_ALWAYS, 0, 0},
    {__NR_listxattr, SYSCALL_ALWAYS, 0, 0},
    {__NR_llistxattr, SYSCALL_ALWAYS, 0, 0},
    {__NR_flistxattr, SYSCALL_ALWAYS, 0, 0},
    {__NR_mmap, SYSCALL_ALWAYS, 0, 0},
    {__NR_mprotect, SYSCALL_ALWAYS, 0, 0},
    {__NR_prlimit64, SYSCALL_ALWAYS, 0, 0},
    {__NR_prctl, SYSCALL_ALWAYS, 0, 0},
    {__NR_capget, SYSCALL_ALWAYS, 0, 0},
    {__NR_capset, SYSCALL_ALWAYS, 0, 0},
    {__NR_chroot, SYSCALL_ALWAYS, 0, 0},
    {__NR_chdir, SYSCALL_ALWAYS, 0, 0},
    {__NR_unshare, SYSCALL_ALWAYS, 0, 0},
    {__NR_seccomp, SYSCALL_ALWAYS, 0, 0},
    {__NR_landlock_create_ruleset, SYSCALL_ALWAYS, 0, 0},
    {__NR_landlock_restrict_self, SYSCALL_ALWAYS, 0, 0},
    {__NR_landlock_add_rule, SYSCALL_ALWAYS, 0, 0},
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

static int restrict_files(int directory, struct error *err)
{
    int rc = landlock_restrict(directory, err);

    return rc < 0 ? error_wrap(err, rc, "cannot confine the import") : 0;
}

/* Threads, and signals to them. */
static const struct syscall_rule threads[] = {
    {__NR_clone, SYSCALL_ARGUMENT_IS, 0, THREAD_FLAGS},
    /* Its flags are in memory, which a filter cannot see: on ENOSYS glibc uses clone(2). */
    {__NR_clone3, SYSCALL_FAILS, 0, ENOSYS},
    {__NR_tgkill, SYSCALL_FIRST_IS_OWN_PROCESS, 0, 0},
};

/* Calls of the previous step that stay allowed. */
static const struct syscall_rule limited[] = {
    /* No executable memory. */
    {__NR_mmap, SYSCALL_ARGUMENT_LACKS, 2, PROT_EXEC},
    {__NR_mprotect, SYSCALL_ARGUMENT_LACKS, 2, PROT_EXEC},
    /* Not F_SETOWN, which sends signals; not F_DUPFD, which hides the source behind a number. */
    {__NR_fcntl, SYSCALL_ARGUMENT_IS, 1, F_GETFL},
    {__NR_fcntl, SYSCALL_ARGUMENT_IS, 1, F_GETFD},
    {__NR_fcntl, SYSCALL_ARGUMENT_IS, 1, F_SETFD},
    /* Only reads its own limits: no other process, no new limit. */
    {__NR_prlimit64, SYSCALL_ARGUMENTS_ZERO, 0, 1 << 0 | 1 << 2},
};

static int load_filter(const struct syscall_rules *lists, size_t count, struct error *err)
{
    int rc = syscall_filter_load(lists, count, SECCOMP_RET_ERRNO | EPERM, err);

    return rc < 0 ? error_wrap(err, rc, "cannot confine the import") : rc;
}

static int filter_reading(struct error *err)
{
    static const struct syscall_rule opening = {__NR_openat, SYSCALL_ARGUMENT_LACKS, 2, WRITING};
    static const struct syscall_rules lists[] = {
        {parsing, ARRAY_LENGTH(parsing)},
        {reading, ARRAY_LENGTH(reading)},
        {threads, ARRAY_LENGTH(threads)},
        {&opening, 1},
    };

    return load_filter(lists, ARRAY_LENGTH(lists), err);
}

/* Writes to any descriptor except the source, messages only from the channel. */
static int filter_parsing(int channel, int source, struct error *err)
{
    const struct syscall_rule descriptors[] = {
        {__NR_write, SYSCALL_ARGUMENT_IS_NOT, 0, (uint32_t)source},
        {__NR_writev, SYSCALL_ARGUMENT_IS_NOT, 0, (uint32_t)source},
        {__NR_pwrite64, SYSCALL_ARGUMENT_IS_NOT, 0, (uint32_t)source},
        {__NR_ftruncate, SYSCALL_ARGUMENT_IS_NOT, 0, (uint32_t)source},
        {__NR_recvmsg, SYSCALL_ARGUMENT_IS, 0, (uint32_t)channel},
    };
    const struct syscall_rules lists[] = {
        {parsing, ARRAY_LENGTH(parsing)},
        {descriptors, ARRAY_LENGTH(descriptors) - (channel < 0 ? 1 : 0)},
        {limited, ARRAY_LENGTH(limited)},
        {threads, ARRAY_LENGTH(threads)},
    };

    return load_filter(lists, ARRAY_LENGTH(lists), err);
}

int confine_to_reading(int directory, struct error *err)
{
    /* To read files of other users, and attributes trusted.*; CAP_SYS_CHROOT is for the next
     * step. */
    uint64_t kept = 1ULL << CAP_SYS_CHROOT;
    int rc;

    if (directory >= 0)
        kept |= 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SYS_ADMIN;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed(err, errno);
    rc = drop_capabilities(kept, err);
    if (rc < 0)
        return rc;
    rc = restrict_files(directory, err);
    return rc < 0 ? rc : filter_reading(err);
}

/*
 * An empty root directory: the remaining calls can query the size and owner of a file by name. A
 * user namespace may give the right to change the root; without it, such queries stay possible.
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
    if (rc < 0)
        return rc;
    rc = restrict_files(-1, err);
    return rc < 0 ? rc : filter_parsing(channel, source, err);
}
