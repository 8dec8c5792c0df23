/* SPDX-License-Identifier: Apache-2.0 */
/* What the client asks init for over the control connection, from its first message to the last. */
#ifndef MICROVM_GUEST_INIT_SESSION_H
#define MICROVM_GUEST_INIT_SESSION_H

#include "guest/init/host_connection.h"
#include "guest/init/options.h"
#include "guest/init/process.h"
#include "guest/init/transport.h"

struct session {
    const struct transport *transport;
    const char *directory; /* "" in a VM, the instance's on a host */
    struct control control;
    struct machine_options machine;
    struct process process; /* the container's */
    int child_signal;       /* signalfd of SIGCHLD */
    bool children_wait;     /* more of them may have something to tell than a turn takes */
};

/* Starts the control connection. */
int session_start_connecting(struct session *session, struct failure *failure);

/* Waits for it and takes what the client sends until RUN: options and the files of the bundle. Then
 * the streams are being connected. */
int session_receive_request(struct session *session, struct failure *failure);

/*
 * Runs the process to its end and says EXITED, or fails before it has started. Returns 0 when the
 * client has been told, -1 with *failure filled, or 1 when the client is gone.
 */
int session_run(struct session *session, struct failure *failure);

/* Tells the client why there is no container: over the connection, else as its last word. */
void session_report_failure(struct session *session, const struct failure *failure);

/* Waits for DRAINED, or for the client to be gone. */
void session_wait_drained(struct session *session);

#endif
