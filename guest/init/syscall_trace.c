/* SPDX-License-Identifier: Apache-2.0 */
/* Counts system calls of the container; see syscall_trace.h. */
#include "guest/init/syscall_trace.h"

#include <linux/audit.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gen/architecture.h>

#define PROCESSES_MAX (1U << 22) /* the kernel's PID_MAX_LIMIT */
#define CALL_STOP     (SIGTRAP | 0x80)
#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |      \
     PTRACE_O_TRACEEXEC)

/* As PTRACE_GET_SYSCALL_INFO fills it; the C libraries differ in its name. */
struct call_info {
    uint8_t op; /* 1: entry, 2: exit */
    uint8_t padding[3];
    uint32_t arch;
    uint64_t instruction_pointer, stack_pointer;
    union {
        uint64_t number; /* entry */
        struct {
            int64_t value;
            uint8_t is_error;
        } exit;
    } detail;
    uint64_t space[6];
};

enum { ENTRY = 1, EXIT = 2 };

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* NULL for a number that the kernel does not give. */
static struct trace_pending *pending_of(const struct trace *trace, pid_t pid)
{
    return pid > 0 && (unsigned)pid < PROCESSES_MAX ? &trace->pending[pid] : NULL;
}

/* ptrace(2) with numbers for its last two arguments, which are numbers as often as pointers. */
static long request(long what, pid_t pid, uintptr_t address, uintptr_t data)
{
    return syscall(SYS_ptrace, what, (long)pid, address, data);
}

/* A process that is being killed is not there any more: its end is reported later. */
static void go_on(pid_t pid, int signal)
{
    request(PTRACE_SYSCALL, pid, 0, (uintptr_t)signal);
}

static void note_call(struct trace *trace, pid_t pid)
{
    struct trace_pending *pending = pending_of(trace, pid);
    struct call_info info = {0};
    struct trace_row *row;

    if (!pending || request(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (uintptr_t)&info) <= 0)
        return;
    if (info.op == ENTRY) {
        bool known =
            info.arch == ARCHITECTURE_AUDIT && info.detail.number < PROTOCOL_SYSCALL_NUMBERS;

        pending->row = (known ? (unsigned)info.detail.number : PROTOCOL_SYSCALL_NUMBERS) + 1;
        pending->begun_ns = now_ns();
        if (trace->counting)
            trace->rows[pending->row - 1].calls++;
    } else if (info.op == EXIT && pending->row > 0) {
        row = &trace->rows[pending->row - 1];
        pending->row = 0;
        if (!trace->counting)
            return;
        row->errors += info.detail.exit.is_error != 0;
        row->ns += now_ns() - pending->begun_ns;
    }
}

/* A thread that executes a program takes the number of its process; its call goes with it. */
static void note_exec(struct trace *trace, pid_t pid)
{
    struct trace_pending *pending = pending_of(trace, pid);
    struct trace_pending *before;
    unsigned long former = 0;

    request(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&former);
    before = pending_of(trace, (pid_t)former);
    if (pending && before && before != pending) {
        *pending = *before;
        before->row = 0;
    }
    if (!trace->counting && pending && pending->row > 0)
        trace->rows[pending->row - 1].calls++; /* the first one: the command's own */
    trace->counting = true;
}

static bool stops_group(int number)
{
    return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

void trace_take_stop(struct trace *trace, pid_t pid, int status)
{
    int event = status >> 16;
    int number = WSTOPSIG(status);

    if (number == CALL_STOP) {
        note_call(trace, pid);
        go_on(pid, 0);
    } else if (event == PTRACE_EVENT_STOP && stops_group(number)) {
        request(PTRACE_LISTEN, pid, 0, 0);
    } else if (event != 0) {
        if (event == PTRACE_EVENT_EXEC)
            note_exec(trace, pid);
        go_on(pid, 0);
    } else {
        go_on(pid, number);
    }
}

void trace_forget(struct trace *trace, pid_t pid)
{
    struct trace_pending *pending = trace->on ? pending_of(trace, pid) : NULL;

    if (pending)
        pending->row = 0;
}

int trace_begin(struct trace *trace, pid_t pid, struct failure *failure)
{
    int status;

    /* Of so many entries only those in use take memory. */
    trace->pending = mmap(NULL, PROCESSES_MAX * sizeof(*trace->pending), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (trace->pending == MAP_FAILED)
        return failure_set_errno(failure, "--explain: memory");
    if (request(PTRACE_SEIZE, pid, 0, OPTIONS) < 0 || request(PTRACE_INTERRUPT, pid, 0, 0) < 0)
        return failure_set_errno(failure, "--explain: cannot trace the container's process");
    trace->on = true;
    do {
        if (waitpid(pid, &status, __WALL) < 0)
            return failure_set_errno(failure, "--explain: cannot trace the container's process");
        if (!WIFSTOPPED(status))
            return failure_set(failure, "the container's process ended before its command");
        trace_take_stop(trace, pid, status);
    } while (status >> 16 != PTRACE_EVENT_STOP);
    return 0;
}

static void store(unsigned char *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

void trace_send(const struct trace *trace, struct control *control, unsigned process)
{
    unsigned char payload[PROTOCOL_SYSCALLS_MAX * PROTOCOL_SYSCALL_SIZE];
    size_t used = 0;

    for (unsigned i = 0; i <= PROTOCOL_SYSCALL_NUMBERS; i++) {
        const struct trace_row *row = &trace->rows[i];
        uint32_t number = i < PROTOCOL_SYSCALL_NUMBERS ? i : PROTOCOL_SYSCALL_OTHER;

        if (row->calls > 0) {
            store(payload + used, number, 4);
            store(payload + used + 4, row->calls, 8);
            store(payload + used + 12, row->errors, 8);
            store(payload + used + 20, row->ns, 8);
            used += PROTOCOL_SYSCALL_SIZE;
        }
        if (used == sizeof(payload) || (i == PROTOCOL_SYSCALL_NUMBERS && used > 0)) {
            control_send(control, PROTOCOL_SYSCALLS, process, payload, used);
            used = 0;
        }
    }
}
