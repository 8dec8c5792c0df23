/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one container, in a VM or on the host: standard streams, terminal, signals,
 * messages of guest and monitor, in one poll loop from the launch to the end.
 */
#ifndef MICROVM_SANDBOX_SESSION_H
#define MICROVM_SANDBOX_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"
#include "vmm/base/terminal.h"
#include "vmm/monitor/monitor_client.h"
#include "vmm/report/timeline.h"
#include "vmm/sandbox/guest_messages.h"
#include "vmm/sandbox/stream.h"

enum session_stream { SESSION_STDIN, SESSION_STDOUT, SESSION_STDERR, SESSION_STREAMS };

/* The connections to guest init: control, and one a stream (guest/protocol.h). */
enum session_port {
    SESSION_PORT_CONTROL,
    SESSION_PORT_STDIN,
    SESSION_PORT_STDOUT,
    SESSION_PORT_STDERR,
    SESSION_PORTS
};

/* Which process keeps what the session is with, and at whose end it ends. */
enum session_child {
    SESSION_CHILD_MONITOR, /* of a VM: sends its events over link.control_fd */
    SESSION_CHILD_INIT,    /* of a container on the host: marks come as messages, link.pid_fd tells
                               its end */
};

struct session {
    bool interactive;
    bool terminal_wanted;
    bool traced;                 /* the monitor reports what happens, on standard error */
    struct syscall_table *calls; /* gets what the guest counts; NULL = not asked */
    struct timeline *timeline;
    enum session_child child;
    struct monitor_client monitor; /* of an init, only the process is known: its link */

    const struct guest_request *request; /* what the guest is to run */
    size_t request_sent;                 /* bytes of it that are on their way */

    int connections[SESSION_PORTS]; /* our ends, -1 = none */
    int guest_ends[SESSION_PORTS];  /* until the guest has them; -1 = none */
    struct guest_message_reader reader;
    struct stream *streams[SESSION_STREAMS];
    int trace_pipe[2]; /* pipe from the monitor to standard error, -1 = none */
    struct stream *trace;
    int stream_event; /* eventfd: a stream is done */
    int signal_fd;
    struct terminal terminal;

    bool started;          /* the container's process runs */
    sigset_t kept_signals; /* that could not be delivered yet, most of them because it did not */
    int stop_signal;       /* the one that made us stop the sandbox, 0 = none */

    bool finished; /* EXITED or FAILED has come, `last` is it */
    struct guest_message last;
    bool drained;     /* and has been answered */
    bool abandoned;   /* neither the child nor the rest of the output is waited for */
    int output_error; /* why standard output or error could not be written, 0 = it could */
};

/* Blocks the signals that the session handles (for good: what is left afterwards is to clean up and
 * exit). Release by session_release(), also on failure. */
int session_prepare(struct session *session, struct error *err);

/* Makes the connections that the streams need, and sends the request: the guest finds it there.
 * Errors: of socketpair(2) and send(2). */
int session_connect(struct session *session, struct error *err);

/* Adds the guest's ends to the table of a VM's descriptors, as "vsock-PORT"; they stay the
 * session's. Errors: E2BIG. */
int session_list_guest_ends(const struct session *session, struct fd_table *descriptors,
                            struct error *err);

/* Sends what has not been sent yet of the request, as far as there is room for it now. Errors: of
 * send(2), but for a guest that is gone. */
int session_send_request(struct session *session, struct error *err);

/* Closes the guest's ends, which it has by now; runs until the sandbox has ended and all output is
 * written. `session->monitor` is connected. */
int session_run(struct session *session, struct error *err);

/* Docker's exit status of a session that has run, or what went wrong. With a status of 126 or 127
 * from the runtime, `session->last` is a FAILED that says why. */
int session_result(const struct session *session, int child_status, int *status, struct error *err);

/* Restores the terminal, releases all but the link. */
void session_release(struct session *session);

#endif
