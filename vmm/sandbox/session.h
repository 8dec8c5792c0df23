/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one container, in a machine or on this one: standard streams,
 * terminal, signals, messages of guest and monitor, in one poll loop from the launch to the end.
 */
#ifndef MICROVM_SANDBOX_SESSION_H
#define MICROVM_SANDBOX_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"
#include "vmm/base/terminal.h"
#include "vmm/monitor/control_protocol.h"
#include "vmm/monitor/monitor_link.h"
#include "vmm/report/timeline.h"
#include "vmm/sandbox/frames.h"
#include "vmm/sandbox/stream.h"

enum session_stream { SESSION_STDIN, SESSION_STDOUT, SESSION_STDERR, SESSION_STREAMS };

/* The connections that the guest makes: its control connection, and one a stream. */
enum session_port {
    SESSION_PORT_CONTROL,
    SESSION_PORT_STDIN,
    SESSION_PORT_STDOUT,
    SESSION_PORT_STDERR,
    SESSION_PORTS
};

/* Which process keeps what the session is with, and at whose end it ends. */
enum session_keeper {
    SESSION_KEEPER_MONITOR, /* of a machine: tells its events over link.control_fd */
    SESSION_KEEPER_INIT, /* of a container on this machine: marks come as frames, link.pid_fd tells
                            its end */
};

#define SESSION_SIGNALS_MAX 16

struct session {
    bool interactive;
    bool terminal_wanted;
    bool narrated;               /* the monitor tells what happens, on standard error */
    struct syscall_table *calls; /* gets what the guest counts; NULL = not asked */
    struct timeline *timeline;
    enum session_keeper keeper;
    struct monitor_link link;

    int listeners[SESSION_PORTS];   /* -1 once init has connected, or not expected */
    int connections[SESSION_PORTS]; /* -1 = none */
    int guest_ends[SESSION_PORTS];  /* of those made for a VM, until that has them; -1 = none */
    struct frame_reader frames;
    struct stream *streams[SESSION_STREAMS];
    int narration[2]; /* pipe from the monitor to standard error, -1 = none */
    struct stream *narrator;
    int stream_event; /* eventfd: a stream is done */
    int signal_fd;
    struct terminal terminal;

    bool started;                               /* the container's process runs */
    uint8_t early_signals[SESSION_SIGNALS_MAX]; /* that came before it did */
    unsigned early_count;
    int stop_signal; /* the one that made us stop the machine, 0 = none */

    bool finished; /* EXIT or FAILURE has come, `last` is it */
    struct guest_message last;
    bool drained;     /* and has been answered */
    bool keeper_gone; /* after its last message, which is `end` if there was one */
    bool end_known;
    bool abandoned;   /* neither the keeper nor the rest of the output is waited for */
    int output_error; /* why standard output or error could not be written, 0 = it could */
    struct control_event end;
};

/* Blocks the signals that the session handles (for good: what is left afterwards is to clean up and
 * exit). Release by session_release(), also on failure. */
int session_prepare(struct session *session, struct error *err);

/* A container's init connects to sockets in `directory`. Errors: ENAMETOOLONG, of bind(2). */
int session_listen(struct session *session, const char *directory, struct error *err);

/*
 * A guest finds its connections made: one end of each goes into the table, as "vsock-PORT" (stays
 * the session's, which closes it when it runs). Errors: of socketpair(2).
 */
int session_connect_guest(struct session *session, struct fd_table *descriptors, struct error *err);

/* Runs until the machine has ended and all output is written. `session->link` is connected. */
int session_run(struct session *session, struct error *err);

/* Docker's exit status of a session that has run, or what went wrong. With a status of 126 or 127
 * from the runtime, `session->last` is a FAILURE that says why. */
int session_result(const struct session *session, int keeper_status, int *status,
                   struct error *err);

/* Restores the terminal, releases all but the link. */
void session_release(struct session *session);

#endif
