/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the system call filters of this process; see filter.h for how.
 *
 * The testing child shares the descriptor table (CLONE_FILES), so that the parent has the
 * descriptor of its notifications. The verdicts are in shared memory, where they survive the child:
 * if a filter kills it, the next child goes on with the call after that.
 */
#include "guest/probes/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK    0x6d696372 /* low word of the sixth argument; the high word is 0 */
#define ALLOWED 3999       /* an errno that nothing else uses */
#define WAIT_MS 10

struct shared {
    atomic_int listener; /* -1 = not yet */
    atomic_int failed;   /* errno of a child that could not install the filter */
    atomic_size_t next;  /* the query being made */
    struct filter_query queries[];
};

/* Returns the descriptor for notifications of marked calls, or -1 with errno. */
static int install(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

__attribute__((noreturn)) static void test_all(struct shared *shared, size_t count)
{
    int listener = install();

    if (listener < 0) {
        atomic_store(&shared->failed, errno ? errno : EINVAL);
        _exit(1);
    }
    atomic_store(&shared->listener, listener);
    for (size_t at = atomic_load(&shared->next); at < count; at++) {
        struct filter_query *query = &shared->queries[at];
        const long *arguments = query->arguments;
        long result;

        atomic_store(&shared->next, at);
        result = syscall(query->call, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], (long)MARK);
        if (result == -1 && errno == ALLOWED) {
            query->verdict = FILTER_ALLOWS;
        } else if (result == -1) {
            query->verdict = FILTER_REFUSES;
            query->error = errno;
        }
    }
    atomic_store(&shared->next, count);
    /* The mark is still in its register; this call clears it before exit_group(2). */
    syscall(SYS_getpid, 0L, 0L, 0L, 0L, 0L, 0L);
    _exit(0);
}

/* Replies to one call that all filters have allowed. */
static void reply(int listener)
{
    struct seccomp_notif call;
    struct seccomp_notif_resp response = {.error = -ALLOWED};

    memset(&call, 0, sizeof(call));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return;
    response.id = call.id;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Replies until the child has ended; its wait status is returned. */
static int reply_until_end(struct shared *shared, pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd notified = {atomic_load(&shared->listener), POLLIN, 0};

        if (poll(&notified, 1, WAIT_MS) > 0 && (notified.revents & POLLIN))
            reply(notified.fd);
    }
    if (atomic_load(&shared->listener) >= 0)
        close(atomic_load(&shared->listener));
    atomic_store(&shared->listener, -1);
    return status;
}

/* One child, which begins with the next query. -1: the child cannot run. */
static int test_some(struct shared *shared, size_t count, char *why, size_t why_size)
{
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    int status;

    if (child == 0)
        test_all(shared, count);
    if (child < 0) {
        snprintf(why, why_size, "clone(CLONE_FILES): %s", strerror(errno));
        return -1;
    }
    status = reply_until_end(shared, child);
    if (atomic_load(&shared->failed)) {
        snprintf(why, why_size, "a second filter cannot be installed: %s",
                 strerror(atomic_load(&shared->failed)));
        return -1;
    }
    if (WIFSIGNALED(status) && atomic_load(&shared->next) < count) {
        struct filter_query *query = &shared->queries[atomic_load(&shared->next)];

        query->verdict = WTERMSIG(status) == SIGSYS ? FILTER_KILLS : FILTER_UNKNOWN;
        atomic_fetch_add(&shared->next, 1);
    }
    return 0;
}

int filter_try(struct filter_query *queries, size_t count, char *why, size_t why_size)
{
    size_t size = sizeof(struct shared) + count * sizeof(*queries);
    struct shared *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int result = 0;

    if (shared == MAP_FAILED) {
        snprintf(why, why_size, "memory: %s", strerror(errno));
        return -1;
    }
    atomic_store(&shared->listener, -1);
    memcpy(shared->queries, queries, count * sizeof(*queries));
    for (size_t i = 0; i < count; i++)
        shared->queries[i].verdict = FILTER_UNKNOWN;
    while (result == 0 && atomic_load(&shared->next) < count)
        result = test_some(shared, count, why, why_size);
    memcpy(queries, shared->queries, count * sizeof(*queries));
    munmap(shared, size);
    return result;
}
