/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what the monitor drops before it runs a guest: capabilities, core dumps, and, by a
 * filter, system calls (seccomp_filter of Linux, userspace-api/seccomp_filter).
 *
 * The rules are the table below: who needs a call is said beside it. The call that is on the way of
 * every exit, KVM_RUN, is the first (vmm/confine/syscall_filter.c says why).
 */
#include "vmm/confine/jail.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/confine/syscall_filter.h"

static const struct syscall_rule rules[] = {
    /* vCPUs: running, and describing one after an error */
    {__NR_ioctl, SYSCALL_ARGUMENT_IS, 1, KVM_RUN},
    {__NR_ioctl, SYSCALL_ARGUMENT_IS, 1, KVM_GET_REGS},
    {__NR_ioctl, SYSCALL_ARGUMENT_IS, 1, KVM_GET_SREGS},
/* the I/O loop */
#ifdef __NR_epoll_wait
    {__NR_epoll_wait, SYSCALL_ALWAYS, 0, 0},
#endif
    {__NR_epoll_pwait, SYSCALL_ALWAYS, 0, 0},
    {__NR_epoll_ctl, SYSCALL_ALWAYS, 0, 0},
    /* eventfds, console, log */
    {__NR_read, SYSCALL_ALWAYS, 0, 0},
    {__NR_write, SYSCALL_ALWAYS, 0, 0},
    {__NR_readv, SYSCALL_ALWAYS, 0, 0},
    {__NR_writev, SYSCALL_ALWAYS, 0, 0},
    /* block */
    {__NR_pread64, SYSCALL_ALWAYS, 0, 0},
    {__NR_pwrite64, SYSCALL_ALWAYS, 0, 0},
    {__NR_preadv, SYSCALL_ALWAYS, 0, 0},
    {__NR_pwritev, SYSCALL_ALWAYS, 0, 0},
    {__NR_fdatasync, SYSCALL_ALWAYS, 0, 0},
    {__NR_fallocate, SYSCALL_ALWAYS, 0, 0},
    {__NR_sync_file_range, SYSCALL_ALWAYS, 0, 0},
    /* entropy, and the C library's allocator */
    {__NR_getrandom, SYSCALL_ALWAYS, 0, 0},
    /* control socket, vsock */
    {__NR_socket, SYSCALL_ARGUMENT_IS, 0, AF_UNIX},
    {__NR_connect, SYSCALL_ALWAYS, 0, 0},
    {__NR_accept4, SYSCALL_ALWAYS, 0, 0},
    {__NR_sendto, SYSCALL_ALWAYS, 0, 0},
    {__NR_sendmsg, SYSCALL_ALWAYS, 0, 0},
    {__NR_sendmmsg, SYSCALL_ALWAYS, 0, 0},
    {__NR_recvfrom, SYSCALL_ALWAYS, 0, 0},
    {__NR_recvmsg, SYSCALL_ALWAYS, 0, 0},
    {__NR_shutdown, SYSCALL_ALWAYS, 0, 0},
    {__NR_getsockopt, SYSCALL_ALWAYS, 0, 0},
    {__NR_fcntl, SYSCALL_ALWAYS, 0, 0},
    {__NR_close, SYSCALL_ALWAYS, 0, 0},
    {__NR_unlinkat, SYSCALL_ALWAYS, 0, 0},
/* the wait for a first client */
#ifdef __NR_poll
    {__NR_poll, SYSCALL_ALWAYS, 0, 0},
#endif
    {__NR_ppoll, SYSCALL_ALWAYS, 0, 0},
    /* memory of the C library; nothing that could be executed */
    {__NR_brk, SYSCALL_ALWAYS, 0, 0},
    {__NR_mmap, SYSCALL_ARGUMENT_LACKS, 2, PROT_EXEC},
    {__NR_mprotect, SYSCALL_ARGUMENT_LACKS, 2, PROT_EXEC},
    {__NR_munmap, SYSCALL_ALWAYS, 0, 0},
    {__NR_mremap, SYSCALL_ALWAYS, 0, 0},
    {__NR_madvise, SYSCALL_ALWAYS, 0, 0},
    /* threads: their first steps, locks, the signal that stops a vCPU, the end */
    {__NR_set_robust_list, SYSCALL_ALWAYS, 0, 0},
    {__NR_rseq, SYSCALL_ALWAYS, 0, 0},
    {__NR_futex, SYSCALL_ALWAYS, 0, 0},
    {__NR_getpid, SYSCALL_ALWAYS, 0, 0},
    {__NR_gettid, SYSCALL_ALWAYS, 0, 0},
    {__NR_tgkill, SYSCALL_FIRST_IS_OWN_PROCESS, 0, 0},
    {__NR_rt_sigprocmask, SYSCALL_ALWAYS, 0, 0},
    {__NR_rt_sigaction, SYSCALL_ALWAYS, 0, 0}, /* abort() */
    {__NR_rt_sigreturn, SYSCALL_ALWAYS, 0, 0},
    {__NR_restart_syscall, SYSCALL_ALWAYS, 0, 0},
    {__NR_sched_yield, SYSCALL_ALWAYS, 0, 0},
    {__NR_clock_gettime, SYSCALL_ALWAYS, 0, 0}, /* where the vDSO cannot do it */
    {__NR_exit, SYSCALL_ALWAYS, 0, 0},
    {__NR_exit_group, SYSCALL_ALWAYS, 0, 0},
};

int jail_drop_privileges(struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    const struct rlimit no_core = {0, 0};

    if (syscall(__NR_capset, &header, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "dropping privileges");
    /* The second alone would do; the first is there for those who read /proc/PID/limits. */
    if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "switching core dumps off");
    return 0;
}

int jail_enter(struct error *err)
{
    return syscall_filter_load(rules, ARRAY_LENGTH(rules), SECCOMP_RET_KILL_PROCESS, err);
}

/* Rules of one call stand together in the table. */
size_t jail_calls(unsigned *calls, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (i > 0 && rules[i - 1].call == rules[i].call)
            continue;
        if (count < max)
            calls[count] = rules[i].call;
        count++;
    }
    return count;
}
