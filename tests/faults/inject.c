/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the Nth system call of a command fail: of it and of all its children that run one of the
 * named programs, counted together in the order in which they are made. Then reports how the
 * command ended, which of its processes died of a signal, and which outlived it.
 *
 * Usage: inject [-n N] [-p PROGRAM,...] [-t SECONDS] [-o REPORT] [-k] -- COMMAND...
 *   -n N  the call that fails; 0 (default): none, only count
 *   -k    instead of failing the call, kill the process that makes it (SIGKILL)
 * The report has lines "KEY VALUE": calls, injected, status, signal, died, left, timeout. The
 * status is 0 when the command has run at all.
 *
 * A call that fails is replaced by gettid(2), which all our system call filters allow, and its
 * result by the error that this call has when resources are short. Calls of the dynamic loader,
 * and calls that cannot fail, are not counted.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/syscall_name.h"

#define TRACEES_MAX 256
#define LOADER_SIZE 0x40000U /* bytes of ld.so, at least */
#define GRACE_NS    UINT64_C(3000000000)

struct tracee {
    pid_t pid;       /* 0 = free */
    pid_t process;   /* thread group */
    bool counted;    /* runs one of the programs */
    bool inside;     /* between entry and exit of a call */
    bool injected;   /* this call is the one */
    bool known;      /* its parent has told of it */
    bool waiting;    /* stopped until then */
    uint64_t loader; /* where ld.so is, 0 = nowhere */
    int error;
    struct user_regs_struct before;
    char name[32];
};

static struct tracee tracees[TRACEES_MAX];
static uint64_t calls, target;
static bool kills;
static const char *programs = "microvm,microvm-import,microvm-init";
static FILE *report;
static volatile sig_atomic_t timed_out;

/* What stands between commas in `programs`. */
static bool is_program(const char *name)
{
    size_t length = strlen(name);

    for (const char *at = programs; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static struct tracee *find(pid_t pid)
{
    for (size_t i = 0; i < TRACEES_MAX; i++) {
        if (tracees[i].pid == pid)
            return &tracees[i];
    }
    return NULL;
}

static struct tracee *add(pid_t pid)
{
    struct tracee *tracee = find(pid);

    if (!tracee) {
        tracee = find(0);
        if (!tracee) {
            fprintf(stderr, "inject: too many processes\n");
            exit(2);
        }
        *tracee = (struct tracee){.pid = pid, .process = pid};
    }
    return tracee;
}

static bool any_left(void)
{
    for (size_t i = 0; i < TRACEES_MAX; i++) {
        if (tracees[i].pid > 0)
            return true;
    }
    return false;
}

/* The process has a new program: its name, and where its loader is. */
static void look_at_program(struct tracee *tracee)
{
    char path[64];
    char target_path[4096];
    Elf64_auxv_t vector[64];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/exe", tracee->pid);
    size = readlink(path, target_path, sizeof(target_path) - 1);
    target_path[size > 0 ? size : 0] = '\0';
    snprintf(tracee->name, sizeof(tracee->name), "%.31s",
             strrchr(target_path, '/') ? strrchr(target_path, '/') + 1 : target_path);
    tracee->counted = is_program(tracee->name);
    tracee->loader = 0;
    snprintf(path, sizeof(path), "/proc/%d/auxv", tracee->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? 0 : read(fd, vector, sizeof(vector));
    for (size_t i = 0; size > 0 && i < (size_t)size / sizeof(vector[0]); i++) {
        if (vector[i].a_type == AT_BASE)
            tracee->loader = vector[i].a_un.a_val;
    }
    if (fd >= 0)
        close(fd);
}

/* The error of a call when the system is short of what the call needs; 0 = it cannot fail so. */
static int likely_error(long call)
{
    switch (call) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_rt_sigreturn:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigaction:
    case SYS_sigaltstack:
    case SYS_futex:
    case SYS_getpid:
    case SYS_gettid:
    case SYS_getppid:
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
    case SYS_getresuid:
    case SYS_getresgid:
    case SYS_getpgrp:
    case SYS_clock_gettime:
    case SYS_clock_nanosleep:
    case SYS_nanosleep:
    case SYS_set_tid_address:
    case SYS_set_robust_list:
    case SYS_rseq:
    case SYS_arch_prctl:
    case SYS_sched_yield:
    case SYS_sched_getaffinity:
    case SYS_umask:
    case SYS_munmap:
    case SYS_kill:
    case SYS_tgkill:
    case SYS_close: /* closed all the same */
    case SYS_close_range:
    case SYS_restart_syscall:
    case SYS_brk: /* answers with the old end, and the allocator takes mmap() */
    case SYS_uname:
    case SYS_times:
    case SYS_getrusage:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_lseek:
        return 0;
    case SYS_open:
    case SYS_openat:
    case SYS_socket:
    case SYS_socketpair:
    case SYS_pipe2:
    case SYS_dup:
    case SYS_dup3:
    case SYS_accept4:
    case SYS_eventfd2:
    case SYS_epoll_create1:
    case SYS_signalfd4:
    case SYS_memfd_create:
    case SYS_pidfd_open:
        return EMFILE;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_mkdir:
    case SYS_mkdirat:
    case SYS_rename:
    case SYS_renameat2:
    case SYS_link:
    case SYS_linkat:
    case SYS_symlinkat:
        return ENOSPC;
    case SYS_read:
    case SYS_readv:
    case SYS_pread64:
    case SYS_preadv:
    case SYS_fsync:
    case SYS_fdatasync:
        return EIO;
    case SYS_clone:
    case SYS_clone3:
    case SYS_fork:
    case SYS_vfork:
    case SYS_getrandom:
        return EAGAIN;
    default:
        return ENOMEM;
    }
}

/* Before a call. */
static void enter_call(struct tracee *tracee)
{
    struct user_regs_struct regs;
    const char *name;
    int error;

    tracee->inside = true;
    if (ptrace(PTRACE_GETREGS, tracee->pid, NULL, &regs) < 0)
        return;
    if (tracee->loader != 0 && regs.rip - tracee->loader < LOADER_SIZE)
        return;
    error = likely_error((long)regs.orig_rax);
    if (error == 0 || ++calls != target)
        return;
    name = syscall_name((unsigned)regs.orig_rax);
    fprintf(report, "injected %s %s in %s\n", name ? name : "unknown",
            kills ? "SIGKILL" : strerrorname_np(error), tracee->name);
    if (kills) {
        kill(tracee->process, SIGKILL);
        return;
    }
    tracee->injected = true;
    tracee->error = error;
    tracee->before = regs;
    regs.orig_rax = SYS_gettid;
    ptrace(PTRACE_SETREGS, tracee->pid, NULL, &regs);
}

/* After a call. */
static void leave_call(struct tracee *tracee)
{
    struct user_regs_struct regs;

    tracee->inside = false;
    if (!tracee->injected)
        return;
    tracee->injected = false;
    if (ptrace(PTRACE_GETREGS, tracee->pid, NULL, &regs) < 0)
        return;
    regs.rdi = tracee->before.rdi;
    regs.rdx = tracee->before.rdx;
    regs.rax = (unsigned long long)-tracee->error;
    ptrace(PTRACE_SETREGS, tracee->pid, NULL, &regs);
}

static void resume(const struct tracee *tracee, int signal_number)
{
    /* Others run on unhindered; a process in a call must still be seen at its end. */
    bool watched = tracee->counted || tracee->inside;

    ptrace(watched ? PTRACE_SYSCALL : PTRACE_CONT, tracee->pid, NULL, (long)signal_number);
}

/* A new thread or process of `parent`. */
static void follow(const struct tracee *parent, bool is_thread)
{
    unsigned long message = 0;
    struct tracee *child;

    ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &message);
    child = add((pid_t)message);
    child->counted = parent->counted;
    child->loader = parent->loader;
    memcpy(child->name, parent->name, sizeof(child->name));
    child->process = is_thread ? parent->process : child->pid;
    child->known = true;
    if (child->waiting)
        resume(child, 0);
}

/* Whether the clone that has just been seen made a thread: its process says so. */
static bool is_thread_of(pid_t process, pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/task/%d", process, pid);
    return access(path, F_OK) == 0;
}

static void handle_stop(struct tracee *tracee, int status)
{
    int event = status >> 16;
    int number = WSTOPSIG(status);
    unsigned long message = 0;

    if (number == (SIGTRAP | 0x80)) {
        if (!tracee->inside)
            enter_call(tracee);
        else
            leave_call(tracee);
        resume(tracee, 0);
        return;
    }
    switch (event) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        ptrace(PTRACE_GETEVENTMSG, tracee->pid, NULL, &message);
        follow(tracee, is_thread_of(tracee->process, (pid_t)message));
        resume(tracee, 0);
        break;
    case PTRACE_EVENT_EXEC:
        look_at_program(tracee);
        tracee->inside = tracee->counted;
        resume(tracee, 0);
        break;
    case PTRACE_EVENT_STOP:
        if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
            ptrace(PTRACE_LISTEN, tracee->pid, NULL, NULL);
        else if (tracee->known)
            resume(tracee, 0);
        else
            tracee->waiting = true;
        break;
    default:
        resume(tracee, event == 0 ? number : 0);
        break;
    }
}

static bool is_crash(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGSYS ||
           number == SIGILL || number == SIGFPE || number == SIGTRAP;
}

static void handle_end(struct tracee *tracee, int status, bool is_main)
{
    if (WIFSIGNALED(status) && tracee->pid == tracee->process && is_crash(WTERMSIG(status)))
        fprintf(report, "died %d %s\n", WTERMSIG(status), tracee->name);
    if (is_main && WIFSIGNALED(status))
        fprintf(report, "signal %d\n", WTERMSIG(status));
    else if (is_main)
        fprintf(report, "status %d\n", WEXITSTATUS(status));
    tracee->pid = 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void kill_all(const char *why)
{
    for (size_t i = 0; i < TRACEES_MAX; i++) {
        if (tracees[i].pid == 0 || tracees[i].pid != tracees[i].process)
            continue;
        fprintf(report, "%s %d %s\n", why, tracees[i].pid, tracees[i].name);
        kill(tracees[i].pid, SIGKILL);
    }
}

static void on_alarm(int number)
{
    (void)number;
    timed_out = 1;
}

/* Follows all of them to their end. */
static void trace(pid_t main_pid, unsigned timeout)
{
    uint64_t ended_ns = 0;
    bool killed = false;
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval tick = {{1, 0}, {1, 0}};
    uint64_t begun_ns = now_ns();

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &tick, NULL);
    while (any_left()) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        uint64_t at_ns = now_ns();

        if (!killed && ended_ns == 0 && at_ns - begun_ns > timeout * UINT64_C(1000000000)) {
            killed = true;
            kill_all("timeout");
        }
        if (!killed && ended_ns > 0 && at_ns - ended_ns > GRACE_NS) {
            killed = true;
            kill_all("left");
        }
        if (pid < 0) {
            if (errno == ECHILD)
                break;
            continue;
        }
        if (WIFSTOPPED(status)) {
            handle_stop(add(pid), status);
        } else {
            handle_end(add(pid), status, pid == main_pid);
            if (pid == main_pid)
                ended_ns = at_ns;
        }
    }
}

static pid_t start(char **command)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        raise(SIGSTOP);
        execvp(command[0], command);
        fprintf(stderr, "inject: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid ||
        ptrace(PTRACE_SEIZE, pid, NULL, options) < 0) {
        fprintf(stderr, "inject: cannot trace: %s\n", strerror(errno));
        exit(2);
    }
    add(pid)->known = true;
    kill(pid, SIGCONT);
    return pid;
}

int main(int argc, char **argv)
{
    unsigned timeout = 20;
    int option;

    report = stderr;
    while ((option = getopt(argc, argv, "+n:p:t:o:k")) >= 0) {
        switch (option) {
        case 'n':
            target = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            programs = optarg;
            break;
        case 't':
            timeout = (unsigned)atoi(optarg);
            break;
        case 'o':
            report = fopen(optarg, "we");
            break;
        case 'k':
            kills = true;
            break;
        default:
            return 2;
        }
    }
    if (optind == argc || !report)
        return 2;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    trace(start(argv + optind), timeout);
    fprintf(report, "calls %llu\n", (unsigned long long)calls);
    fclose(report);
    return 0;
}
