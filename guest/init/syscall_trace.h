/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the system calls of the container, by ptrace(2), when the host asks for it
 * (trace=1 in the settings of RUN). Every process and thread of the container is followed, from the
 * command's own execve on; none of them sees more of it than a TracerPid.
 *
 * Theory: PTRACE_SEIZE, so that nothing is stopped that would not stop anyway. Each stop that
 * waitpid() reports is handed to trace_take_stop(), which notes it and lets the process go on just
 * as it would have: a signal is delivered, a group stop (Ctrl-Z) lasts until SIGCONT.
 */
#ifndef MICROVM_GUEST_INIT_SYSCALL_TRACE_H
#define MICROVM_GUEST_INIT_SYSCALL_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/init/failure.h"
#include "guest/init/host_connection.h"

struct trace_row {
    uint64_t calls, errors, ns;
};

/* What a process, by its number, has begun and not finished. */
struct trace_pending {
    uint64_t begun_ns;
    unsigned row; /* and 1; 0 = it is in no call */
};

struct trace {
    bool on;
    bool counting; /* the command has been executed */
    struct trace_pending *pending;
    struct trace_row rows[PROTOCOL_SYSCALL_NUMBERS + 1]; /* the last: of other kinds */
};

/* Follows `pid`, which waits to be told to execute the command. */
int trace_begin(struct trace *trace, pid_t pid, struct failure *failure);

/* `pid` has stopped with wait status `status`. */
void trace_take_stop(struct trace *trace, pid_t pid, int status);

/* `pid` is no more. */
void trace_forget(struct trace *trace, pid_t pid);

/* Sends all rows to the host, as those of the process of that number. */
void trace_send(const struct trace *trace, struct control *control, unsigned process);

#endif
