/* SPDX-License-Identifier: Apache-2.0 */
/* System calls of a VM's threads; see thread_calls.h. */
#include "vmm/machine/thread_calls.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"
#include "vmm/machine/event_loop.h"
#include "vmm/machine/vcpu_loop.h"

/* Of any thread: eventfds and messages, locks, memory of the C library, signals, the end. */
static const struct syscall_rule of_any[] = {
    {__NR_write, SYSCALL_ALWAYS, 0, 0},
    {__NR_futex, SYSCALL_ALWAYS, 0, 0},
    {__NR_epoll_ctl, SYSCALL_ALWAYS, 0, 0},
    {__NR_brk, SYSCALL_ALWAYS, 0, 0},
    {__NR_munmap, SYSCALL_ALWAYS, 0, 0},
    {__NR_madvise, SYSCALL_ALWAYS, 0, 0}, /* the stack of an ending thread */
    {__NR_clock_gettime, SYSCALL_ALWAYS, 0, 0},
    {__NR_rt_sigprocmask, SYSCALL_ALWAYS, 0, 0},
    {__NR_rt_sigreturn, SYSCALL_ALWAYS, 0, 0},
    {__NR_restart_syscall, SYSCALL_ALWAYS, 0, 0},
    {__NR_getpid, SYSCALL_ALWAYS, 0, 0},
    {__NR_gettid, SYSCALL_ALWAYS, 0, 0},
    {__NR_tgkill, SYSCALL_FIRST_IS_OWN_PROCESS, 0, 0}, /* stops a vCPU; abort() */
    {__NR_exit, SYSCALL_ALWAYS, 0, 0},
    {__NR_exit_group, SYSCALL_ALWAYS, 0, 0},
};

void thread_calls_begin(struct thread_calls *calls, enum machine_thread thread)
{
    calls->count = 0;
    thread_calls_add(calls, thread == MACHINE_THREAD_VCPU ? vcpu_calls() : event_loop_calls());
    if (thread == MACHINE_THREAD_VCPU)
        thread_calls_add(calls, arch_vcpu_calls());
    thread_calls_add(calls, (struct syscall_rules){of_any, ARRAY_LENGTH(of_any)});
}

void thread_calls_add(struct thread_calls *calls, struct syscall_rules more)
{
    if (more.count == 0)
        return;
    if (calls->count == THREAD_CALLS_MAX)
        abort(); /* more kinds of devices than THREAD_CALLS_MAX has room for */
    calls->lists[calls->count++] = more;
}
