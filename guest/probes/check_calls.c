/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of system calls: which of those known to the build are allowed by seccomp, and which of
 * these this kernel has.
 *
 * The filters are tested without executing a call (filter.h). To see whether the kernel has a call,
 * it is made with -1 for every argument, in a child. Calls that would have an effect even so, and
 * calls that return ENOSYS for unknown arguments, are not made.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/probes/check.h"
#include "guest/probes/filter.h"
#include "guest/probes/json_line.h"

#define CALL_SECONDS 2 /* for one call that blocks */

static const char *const names[] = {
#include <gen/syscall_names.inc>
};

#define CALLS (sizeof(names) / sizeof(names[0]))

/* One letter for each number, as parsed by the host. */
enum {
    CALL_NO_NAME = '-',  /* no call of that number is known */
    CALL_STOPPED = 's',  /* a filter refuses it */
    CALL_KILLED = 'k',   /* a filter kills the caller */
    CALL_PRESENT = 'y',  /* allowed by seccomp, and the kernel has it */
    CALL_ABSENT = 'n',   /* allowed by seccomp, and the kernel does not have it */
    CALL_UNTESTED = 'u', /* allowed by seccomp; whether the kernel has it was not tested */
};

static const long never_made[] = {
    /* They end, copy, stop or signal processes. */
    SYS_exit,
    SYS_exit_group,
    SYS_clone,
    SYS_clone3,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_send_signal,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
    SYS_pause,
    SYS_alarm,
#endif
    /* They would affect the whole kernel. */
    SYS_sync,
    SYS_vhangup,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_acct,
    SYS_swapoff,
    /* They would make or remove something that outlives the process. */
    SYS_msgget,
    SYS_semget,
    SYS_shmget,
    SYS_close_range,
    /* They return ENOSYS for unknown arguments, too. */
    SYS_futex,
#ifdef SYS_modify_ldt
    SYS_modify_ldt,
#endif
};

struct survey {
    atomic_size_t next;
    char letters[CALLS + 1];
};

static bool is_never_made(size_t call)
{
    for (size_t i = 0; i < sizeof(never_made) / sizeof(never_made[0]); i++)
        if (never_made[i] == (long)call)
            return true;
    return false;
}

static int try_filters(struct survey *survey, char *why, size_t why_size)
{
    static struct filter_query queries[CALLS];
    size_t count = 0;
    int result;

    for (size_t call = 0; call < CALLS; call++) {
        if (!names[call])
            continue;
        queries[count] =
            (struct filter_query){.call = (long)call, .arguments = {-1, -1, -1, -1, -1}};
        count++;
    }
    result = filter_try(queries, count, why, why_size);
    memset(survey->letters, CALL_NO_NAME, CALLS);
    for (size_t i = 0; i < count; i++) {
        char *letter = &survey->letters[queries[i].call];

        *letter = CALL_UNTESTED;
        if (queries[i].verdict == FILTER_REFUSES)
            *letter = CALL_STOPPED;
        else if (queries[i].verdict == FILTER_KILLS)
            *letter = CALL_KILLED;
    }
    return result;
}

__attribute__((noreturn)) static void make_calls(struct survey *survey)
{
    for (size_t call = atomic_load(&survey->next); call < CALLS; call++) {
        long result;

        atomic_store(&survey->next, call);
        if (survey->letters[call] != CALL_UNTESTED || is_never_made(call))
            continue;
        alarm(CALL_SECONDS);
        result = syscall((long)call, -1L, -1L, -1L, -1L, -1L, -1L);
        survey->letters[call] = result == -1 && errno == ENOSYS ? CALL_ABSENT : CALL_PRESENT;
    }
    atomic_store(&survey->next, CALLS);
    _exit(0);
}

/* A call that ended its child, or did not return, is present. */
static void try_kernel(struct survey *survey)
{
    while (atomic_load(&survey->next) < CALLS) {
        pid_t child = fork();
        int status = 0;

        if (child == 0)
            make_calls(survey);
        if (child < 0 || waitpid(child, &status, 0) < 0)
            return;
        if (atomic_load(&survey->next) < CALLS) {
            survey->letters[atomic_load(&survey->next)] = CALL_PRESENT;
            atomic_fetch_add(&survey->next, 1);
        }
    }
}

void check_calls(void)
{
    static struct json_line line;
    struct survey *survey =
        mmap(NULL, sizeof(*survey), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char why[128] = "";
    int known;

    if (survey == MAP_FAILED)
        return;
    known = try_filters(survey, why, sizeof(why));
    try_kernel(survey);
    json_begin(&line);
    json_text(&line, "check", "calls");
    json_text(&line, "outcome", "seen");
    json_text(&line, "text", survey->letters);
    if (known < 0)
        json_text(&line, "filter_unknown", why);
    json_end(&line);
    munmap(survey, sizeof(*survey));
}
