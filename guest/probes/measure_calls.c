/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of the kernel itself: a call, a process, a page, a switch, a pipe. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/probes/measure.h"

#define PAGE_SIZE   4096u
#define TOUCHED_MAX 2048u /* pages at a time: 8 MiB */
#define PIPE_CHUNK  65536u
#define PIPE_BYTES  (UINT64_C(16) << 20)

static int call_nothing(void *opaque, uint64_t count)
{
    (void)opaque;
    for (uint64_t i = 0; i < count; i++)
        syscall(SYS_getppid);
    return 0;
}

/* 0 when the child ended with status 0. */
static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    if (status != 0)
        errno = EIO;
    return status == 0 ? 0 : -1;
}

static int execute(void *opaque, uint64_t count)
{
    char name[] = "microvm-probes";
    char word[] = "nothing";
    char *const arguments[] = {name, word, NULL};
    char *const environment[] = {NULL};

    (void)opaque;
    for (uint64_t i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            execve("/proc/self/exe", arguments, environment);
            _exit(1);
        }
        if (pid < 0 || wait_for(pid) < 0)
            return -1;
    }
    return 0;
}

static int touch_pages(void *opaque, uint64_t count)
{
    (void)opaque;
    while (count > 0) {
        uint64_t pages = count < TOUCHED_MAX ? count : TOUCHED_MAX;
        char *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
            return -1;
        madvise(memory, pages * PAGE_SIZE, MADV_NOHUGEPAGE);
        for (uint64_t i = 0; i < pages; i++)
            *(volatile char *)(memory + i * PAGE_SIZE) = 1;
        munmap(memory, pages * PAGE_SIZE);
        count -= pages;
    }
    return 0;
}

/* ---- two processes and pipes ----------------------------------------------------------------- */

struct partner {
    pid_t pid;
    int to, from; /* pipes */
};

static int pass_on(int from, int to)
{
    char byte;

    return read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1 ? 0 : -1;
}

static int stay_on_one_cpu(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            return sched_setaffinity(0, sizeof(set), &set);
        }
    }
    return -1;
}

static int start_partner(struct partner *partner, void (*play)(int from, int to))
{
    int there[2];
    int back[2];

    if (pipe(there) < 0 || pipe(back) < 0)
        return -1;
    partner->pid = fork();
    if (partner->pid == 0) {
        close(there[1]);
        close(back[0]);
        play(there[0], back[1]);
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    partner->to = there[1];
    partner->from = back[0];
    return partner->pid < 0 ? -1 : 0;
}

static void end_partner(const struct partner *partner)
{
    close(partner->to);
    close(partner->from);
    wait_for(partner->pid);
}

static void echo(int from, int to)
{
    while (pass_on(from, to) == 0)
        ;
}

/* There and back: two switches. */
static int switch_back_and_forth(void *opaque, uint64_t count)
{
    const struct partner *partner = opaque;
    char byte = 0;

    for (uint64_t i = 0; i < count; i += 2)
        if (write(partner->to, &byte, 1) != 1 || read(partner->from, &byte, 1) != 1)
            return -1;
    return 0;
}

static void measure_switches(void)
{
    static const char name[] = "context_switch";
    cpu_set_t before;
    struct partner partner;

    if (sched_getaffinity(0, sizeof(before), &before) < 0 || stay_on_one_cpu() < 0) {
        measure_write_errno(name, "cannot stay on one processor");
        return;
    }
    if (start_partner(&partner, echo) < 0) {
        measure_write_errno(name, "second process");
    } else {
        measure_repeatedly(name, switch_back_and_forth, &partner);
        end_partner(&partner);
    }
    sched_setaffinity(0, sizeof(before), &before);
}

/* Reads PIPE_BYTES, confirms them by a byte, and repeats. */
static void swallow(int from, int to)
{
    static char buffer[PIPE_CHUNK];
    uint64_t bytes = 0;
    ssize_t count;

    while ((count = read(from, buffer, sizeof(buffer))) > 0) {
        bytes += (uint64_t)count;
        if (bytes >= PIPE_BYTES) {
            bytes = 0;
            if (write(to, buffer, 1) != 1)
                return;
        }
    }
}

static int fill(const struct partner *partner)
{
    static char buffer[PIPE_CHUNK];

    for (uint64_t bytes = 0; bytes < PIPE_BYTES; bytes += sizeof(buffer))
        if (write(partner->to, buffer, sizeof(buffer)) != (ssize_t)sizeof(buffer))
            return -1;
    return read(partner->from, buffer, 1) == 1 ? 0 : -1;
}

static void measure_pipe(void)
{
    static const char name[] = "pipe";
    struct partner partner;

    if (start_partner(&partner, swallow) < 0) {
        measure_write_errno(name, "second process");
        return;
    }
    for (int i = 0; i < MEASURE_SAMPLES; i++) {
        uint64_t start = measure_now_ns();

        if (fill(&partner) < 0) {
            measure_write_errno(name, "write");
            break;
        }
        measure_write_rate(name, PIPE_BYTES, measure_now_ns() - start);
    }
    end_partner(&partner);
}

void measure_calls(void)
{
    signal(SIGPIPE, SIG_IGN);
    measure_repeatedly("syscall", call_nothing, NULL);
    measure_repeatedly("fork_exec", execute, NULL);
    measure_repeatedly("page_fault", touch_pages, NULL);
    measure_switches();
    measure_pipe();
}
