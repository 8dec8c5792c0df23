/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the one container of this machine, from the start of crun to the last word
 * to the host.
 */
#ifndef MICROVM_GUEST_INIT_CONTAINER_SESSION_H
#define MICROVM_GUEST_INIT_CONTAINER_SESSION_H

#include "guest/init/conf.h"
#include "guest/init/host_connection.h"
#include "guest/init/relay.h"
#include "guest/init/runtime.h"
#include "guest/init/syscall_trace.h"
#include "guest/init/transport.h"

/* By what session_start_connecting() has opened; order of the connections. */
enum session_stream { SESSION_STDIN, SESSION_STDOUT, SESSION_STDERR, SESSION_STREAMS };

struct session {
    const struct transport *transport;
    struct conf conf;
    struct control control;
    int sockets[SESSION_STREAMS]; /* to the host, non-blocking, -1 = not used */
    int child_signal;             /* signalfd of SIGCHLD */
    bool children_wait;           /* more of them may have something to tell than a turn takes */
    struct container container;
    struct trace trace;
    int early_end; /* wait status of a container that ended before crun's second step; or -1 */
    struct relay relays[SESSION_STREAMS]; /* stderr: opened when crun has ended */
    bool ended;                           /* the container's first process has */
    uint8_t status;
};

/* Starts all connections that `session->conf` asks for; control first. */
int session_start_connecting(struct session *session, struct failure *failure);
int session_finish_connecting(struct session *session, struct failure *failure);

/*
 * Runs the container to its end and says EXIT, or fails before it has started. Returns 0 when the
 * host has been told, -1 with *failure filled, or 1 when the host is gone.
 */
int session_run(struct session *session, struct failure *failure);

/* Waits for DRAINED, or for the host to be gone. */
void session_wait_drained(struct session *session);

#endif
