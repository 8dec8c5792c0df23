/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what the monitor drops before it runs a guest: capabilities, core dumps, and, by a
 * filter, system calls (seccomp_filter of Linux, userspace-api/seccomp_filter).
 *
 * The rules are the table below: who needs a call is said beside it. From it a short BPF program is
 * made: the kind of system call table is checked, then each rule is one comparison, or two with a
 * condition on an argument. Rules without a condition cost nothing at run time, since the kernel
 * keeps a bitmap of calls that are always allowed; the one that is on the way of every exit,
 * KVM_RUN, is the first.
 */
#include "vmm/jail/jail.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"

#if defined(__x86_64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64
#endif

enum condition { ALWAYS, ARGUMENT_IS, ARGUMENT_LACKS, FIRST_IS_OWN_PROCESS };

/* `argument` is compared by its low 32 bits: all that the kernel looks at in these calls. */
struct rule {
    uint32_t call;
    enum condition condition;
    uint32_t argument; /* number of it, from 0 */
    uint32_t value;
};

static const struct rule rules[] = {
    /* vCPUs: running, and describing one after an error */
    {__NR_ioctl, ARGUMENT_IS, 1, KVM_RUN},
    {__NR_ioctl, ARGUMENT_IS, 1, KVM_GET_REGS},
    {__NR_ioctl, ARGUMENT_IS, 1, KVM_GET_SREGS},
/* the I/O loop */
#ifdef __NR_epoll_wait
    {__NR_epoll_wait, ALWAYS, 0, 0},
#endif
    {__NR_epoll_pwait, ALWAYS, 0, 0},
    {__NR_epoll_ctl, ALWAYS, 0, 0},
    /* eventfds, console, log */
    {__NR_read, ALWAYS, 0, 0},
    {__NR_write, ALWAYS, 0, 0},
    {__NR_readv, ALWAYS, 0, 0},
    {__NR_writev, ALWAYS, 0, 0},
    /* block */
    {__NR_pread64, ALWAYS, 0, 0},
    {__NR_pwrite64, ALWAYS, 0, 0},
    {__NR_preadv, ALWAYS, 0, 0},
    {__NR_pwritev, ALWAYS, 0, 0},
    {__NR_fdatasync, ALWAYS, 0, 0},
    {__NR_fallocate, ALWAYS, 0, 0},
    {__NR_sync_file_range, ALWAYS, 0, 0},
    /* entropy, and the C library's allocator */
    {__NR_getrandom, ALWAYS, 0, 0},
    /* control socket, vsock */
    {__NR_socket, ARGUMENT_IS, 0, AF_UNIX},
    {__NR_connect, ALWAYS, 0, 0},
    {__NR_accept4, ALWAYS, 0, 0},
    {__NR_sendto, ALWAYS, 0, 0},
    {__NR_sendmsg, ALWAYS, 0, 0},
    {__NR_sendmmsg, ALWAYS, 0, 0},
    {__NR_recvfrom, ALWAYS, 0, 0},
    {__NR_recvmsg, ALWAYS, 0, 0},
    {__NR_shutdown, ALWAYS, 0, 0},
    {__NR_getsockopt, ALWAYS, 0, 0},
    {__NR_fcntl, ALWAYS, 0, 0},
    {__NR_close, ALWAYS, 0, 0},
    {__NR_unlinkat, ALWAYS, 0, 0},
/* the wait for a first client */
#ifdef __NR_poll
    {__NR_poll, ALWAYS, 0, 0},
#endif
    {__NR_ppoll, ALWAYS, 0, 0},
    /* memory of the C library; nothing that could be executed */
    {__NR_brk, ALWAYS, 0, 0},
    {__NR_mmap, ARGUMENT_LACKS, 2, PROT_EXEC},
    {__NR_mprotect, ARGUMENT_LACKS, 2, PROT_EXEC},
    {__NR_munmap, ALWAYS, 0, 0},
    {__NR_mremap, ALWAYS, 0, 0},
    {__NR_madvise, ALWAYS, 0, 0},
    /* threads: their first steps, locks, the signal that stops a vCPU, the end */
    {__NR_set_robust_list, ALWAYS, 0, 0},
    {__NR_rseq, ALWAYS, 0, 0},
    {__NR_futex, ALWAYS, 0, 0},
    {__NR_getpid, ALWAYS, 0, 0},
    {__NR_gettid, ALWAYS, 0, 0},
    {__NR_tgkill, FIRST_IS_OWN_PROCESS, 0, 0},
    {__NR_rt_sigprocmask, ALWAYS, 0, 0},
    {__NR_rt_sigaction, ALWAYS, 0, 0}, /* abort() */
    {__NR_rt_sigreturn, ALWAYS, 0, 0},
    {__NR_restart_syscall, ALWAYS, 0, 0},
    {__NR_sched_yield, ALWAYS, 0, 0},
    {__NR_clock_gettime, ALWAYS, 0, 0}, /* where the vDSO cannot do it */
    {__NR_exit, ALWAYS, 0, 0},
    {__NR_exit_group, ALWAYS, 0, 0},
};

#define PROGRAM_MAX (8 + 5 * ARRAY_LENGTH(rules))

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short size;
};

static void emit(struct program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    program->code[program->size++] = (struct sock_filter){code, yes, no, k};
}

static void emit_load(struct program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct program *program, uint32_t action)
{
    emit(program, BPF_RET | BPF_K, action, 0, 0);
}

/* The number of the call is in the accumulator before and after, if the rule does not apply. */
static void emit_rule(struct program *program, const struct rule *rule)
{
    uint16_t test = rule->condition == ARGUMENT_LACKS ? BPF_JSET : BPF_JEQ;
    uint32_t value = rule->condition == FIRST_IS_OWN_PROCESS ? (uint32_t)getpid() : rule->value;

    if (rule->condition == ALWAYS) {
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, rule->call, 0, 1);
        emit_return(program, SECCOMP_RET_ALLOW);
        return;
    }
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, rule->call, 0, 4);
    emit_load(program, offsetof(struct seccomp_data, args) + rule->argument * sizeof(uint64_t));
    if (test == BPF_JEQ)
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    else
        emit(program, BPF_JMP | BPF_JSET | BPF_K, value, 1, 0);
    emit_return(program, SECCOMP_RET_ALLOW);
    emit_load(program, offsetof(struct seccomp_data, nr));
}

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
    struct program program = {.size = 0};
    struct sock_fprog filter;

    emit_load(&program, offsetof(struct seccomp_data, arch));
    emit(&program, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_OURS, 1, 0);
    emit_return(&program, SECCOMP_RET_KILL_PROCESS);
    emit_load(&program, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        emit_rule(&program, &rules[i]);
    emit_return(&program, SECCOMP_RET_KILL_PROCESS);
    filter = (struct sock_fprog){.len = program.size, .filter = program.code};
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
        return error_set_errno(err, errno, "system call filter");
    return 0;
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
