/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process that the client has asked for: its number, options, streams to the host, relays,
 * system calls, end and status. Only the container's own can be asked for so far.
 */
#ifndef MICROVM_GUEST_INIT_PROCESS_H
#define MICROVM_GUEST_INIT_PROCESS_H

#include <poll.h>

#include "guest/init/host_connection.h"
#include "guest/init/options.h"
#include "guest/init/relay.h"
#include "guest/init/runtime.h"
#include "guest/init/syscall_trace.h"
#include "guest/init/transport.h"

struct process {
    unsigned number; /* the client's */
    struct process_options options;
    struct container container;
    int sockets[PROTOCOL_STREAMS];         /* to the host, non-blocking, -1 = not used */
    struct relay relays[PROTOCOL_STREAMS]; /* stderr: opened when crun has ended */
    struct trace trace;
    int early_end; /* wait status of a container that ended before crun's second step; or -1 */
    bool ended;    /* the process has */
    uint8_t status;
};

/* Before all else: no stream is open. */
void process_init(struct process *process);

/* Starts to connect the streams that the options ask for, and waits until they stand. */
int process_start_connecting(struct process *process, const struct transport *transport,
                             struct failure *failure);
int process_finish_connecting(const struct process *process, const struct transport *transport,
                              struct failure *failure);

/* Closes the streams: nothing will come any more. */
void process_disconnect(struct process *process);

/* Starts the runtime for it. `directory` as in runtime.h. */
int process_start(struct process *process, const char *directory, struct failure *failure);

/* The runtime or the process itself, `pid`, has ended with wait status `status`. Sets *started when
 * from now on the process runs. */
int process_take_end(struct process *process, pid_t pid, int status, bool *started,
                     struct failure *failure);

/* A SIGNAL or WINDOW of the client. */
void process_handle_message(struct process *process, const struct message *message);

/* One turn of the relays, with the results of poll(2) on process_poll()'s. */
void process_poll(const struct process *process, struct pollfd polls[PROTOCOL_STREAMS]);
void process_relay(struct process *process, const struct pollfd polls[PROTOCOL_STREAMS]);

/* Whether it has ended and all its output is passed on. */
bool process_is_done(const struct process *process);

/* Whether all output could be passed on: what is lost is not a command's success. */
int process_check_output(const struct process *process, struct failure *failure);

#endif
