/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process that the client has asked for; see process.h.
 *
 * While crun runs, only crun is waited for: the process may end before crun does, and its status
 * must be there when the process is known. Standard error is relayed from then on, too: until crun
 * has ended well, what comes there is crun's own reason to fail.
 */
#include "guest/init/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

void process_init(struct process *process)
{
    process->early_end = -1;
    for (unsigned i = 0; i < PROTOCOL_STREAMS; i++) {
        process->sockets[i] = -1;
        relay_open(&process->relays[i], -1, -1);
    }
}

static bool stream_is_used(const struct process_options *options, enum protocol_stream stream)
{
    if (stream == PROTOCOL_STDIN)
        return options->terminal || options->standard_input;
    return !options->terminal;
}

int process_start_connecting(struct process *process, const struct transport *transport,
                             struct failure *failure)
{
    for (unsigned i = 0; i < PROTOCOL_STREAMS; i++) {
        if (!stream_is_used(&process->options, i))
            continue;
        process->sockets[i] =
            transport->start_connect(PROTOCOL_PORT_STREAM(process->number, i), failure);
        if (process->sockets[i] < 0)
            return -1;
    }
    return 0;
}

int process_finish_connecting(const struct process *process, const struct transport *transport,
                              struct failure *failure)
{
    for (unsigned i = 0; i < PROTOCOL_STREAMS; i++)
        if (process->sockets[i] >= 0 &&
            transport->finish_connect(process->sockets[i], PROTOCOL_PORT_STREAM(process->number, i),
                                      failure) < 0)
            return -1;
    return 0;
}

void process_disconnect(struct process *process)
{
    for (unsigned i = 0; i < PROTOCOL_STREAMS; i++) {
        if (process->sockets[i] >= 0)
            close(process->sockets[i]);
        process->sockets[i] = -1;
    }
}

static void relay_connect(struct process *process, enum protocol_stream stream, int ours)
{
    if (stream == PROTOCOL_STDIN)
        relay_open(&process->relays[stream], process->sockets[stream], ours);
    else
        relay_open(&process->relays[stream], ours, process->sockets[stream]);
}

int process_start(struct process *process, const char *directory, struct failure *failure)
{
    if (container_start(&process->container, directory, &process->options, failure) < 0)
        return -1;
    if (process->options.terminal)
        return 0;
    relay_connect(process, PROTOCOL_STDOUT, process->container.output);
    if (process->options.standard_input)
        relay_connect(process, PROTOCOL_STDIN, process->container.input);
    return 0;
}

/* The process runs: what is left of its streams is relayed. */
static int attach(struct process *process, struct failure *failure)
{
    struct container *container = &process->container;

    if (!process->options.terminal) {
        relay_connect(process, PROTOCOL_STDERR, container->error);
        return 0;
    }
    /* One connection carries both directions; each relay owns a descriptor of its own for it. */
    close(container->error);
    process->sockets[PROTOCOL_STDOUT] = fcntl(process->sockets[PROTOCOL_STDIN], F_DUPFD_CLOEXEC, 0);
    if (process->sockets[PROTOCOL_STDOUT] < 0)
        return failure_set_errno(failure, "terminal");
    relay_connect(process, PROTOCOL_STDIN, container->input);
    relay_connect(process, PROTOCOL_STDOUT, container->output);
    return 0;
}

static void note_end(struct process *process, int wait_status)
{
    process->container.pid = 0;
    process->ended = true;
    process->status = (uint8_t)(WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
                                                         : WEXITSTATUS(wait_status));
    relay_close(&process->relays[PROTOCOL_STDIN]);
}

/* crun has ended well: the container runs, or, if it is to be traced, has been created. */
static int take_container(struct process *process, bool *started, struct failure *failure)
{
    struct container *container = &process->container;

    if (!process->trace.on) {
        if (container_attach(container, failure) < 0)
            return -1;
        if (process->options.trace) {
            process->early_end = -1;
            return trace_begin(&process->trace, container->pid, failure) < 0
                       ? -1
                       : container_start_created(container, failure);
        }
    }
    if (attach(process, failure) < 0)
        return -1;
    *started = true;
    if (process->trace.on && process->early_end >= 0)
        note_end(process, process->early_end);
    return 0;
}

int process_take_end(struct process *process, pid_t pid, int status, bool *started,
                     struct failure *failure)
{
    struct container *container = &process->container;

    trace_forget(&process->trace, pid);
    if (pid == container->runtime) {
        container->runtime = 0;
        return status != 0 ? container_explain(container, status, failure)
                           : take_container(process, started, failure);
    }
    if (pid == container->pid && container->runtime > 0)
        process->early_end = status;
    else if (pid == container->pid)
        note_end(process, status);
    return 0;
}

void process_handle_message(struct process *process, const struct message *message)
{
    const unsigned char *payload = message->payload;

    if (message->type == PROTOCOL_SIGNAL && message->size == sizeof(struct protocol_signal)) {
        container_signal(&process->container, payload[0]);
    } else if (message->type == PROTOCOL_WINDOW &&
               message->size == sizeof(struct protocol_window)) {
        const struct winsize size = {
            .ws_row = (unsigned short)(payload[0] | payload[1] << 8),
            .ws_col = (unsigned short)(payload[2] | payload[3] << 8),
        };

        if (process->options.terminal && process->relays[PROTOCOL_STDOUT].from >= 0)
            ioctl(process->relays[PROTOCOL_STDOUT].from, TIOCSWINSZ, &size);
    }
}

void process_poll(const struct process *process, struct pollfd polls[PROTOCOL_STREAMS])
{
    for (unsigned i = 0; i < PROTOCOL_STREAMS; i++)
        polls[i] = relay_poll(&process->relays[i]);
}

/* The host ends the input of a terminal only when its own has gone. A container whose terminal goes
 * gets what any process gets then: SIGHUP from the kernel, and the end of its input. */
static void pass_hang_up(struct process *process)
{
    if (process->options.terminal && !process->ended &&
        !relay_is_open(&process->relays[PROTOCOL_STDIN]))
        relay_close(&process->relays[PROTOCOL_STDOUT]);
}

void process_relay(struct process *process, const struct pollfd polls[PROTOCOL_STREAMS])
{
    for (unsigned i = 0; i < PROTOCOL_STREAMS; i++)
        if (polls[i].revents)
            relay_step(&process->relays[i]);
    pass_hang_up(process);
}

bool process_is_done(const struct process *process)
{
    return process->ended && !relay_is_open(&process->relays[PROTOCOL_STDOUT]) &&
           !relay_is_open(&process->relays[PROTOCOL_STDERR]);
}

int process_check_output(const struct process *process, struct failure *failure)
{
    for (unsigned i = PROTOCOL_STDOUT; i < PROTOCOL_STREAMS; i++) {
        if (process->relays[i].error)
            return failure_set(failure, "the command's output was lost: %s",
                               strerror(process->relays[i].error));
    }
    return 0;
}
