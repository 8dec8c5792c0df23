/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's side of `run --explain=live`: lines into a pipe that the client reads.
 *
 * A line is one write of less than PIPE_BUF bytes, so it arrives whole or not at all. The pipe
 * never blocks: while it is full, lines are dropped, and the next line that fits is preceded by
 * their number. So a reader that stops cannot stop the guest.
 */
#ifndef MICROVM_MONITOR_TRACE_PIPE_H
#define MICROVM_MONITOR_TRACE_PIPE_H

#include <pthread.h>
#include <stdint.h>

struct trace_pipe {
    int fd; /* not owned; -1 = no reader, or none any more */
    pthread_mutex_t lock;
    uint64_t begun_ns;
    uint64_t left_out; /* lines since the last one written */
    uint64_t lost;     /* lines dropped in total */
};

/* `fd` is the writing end of a pipe, made non-blocking here, or -1. */
void trace_pipe_init(struct trace_pipe *pipe, int fd);

/* Writes "TIME ms  WHO LINE". Any thread. */
void trace_pipe_write(struct trace_pipe *pipe, const char *who, const char *line);

#endif
