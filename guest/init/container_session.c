/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the one container of this machine.
 *
 * One thread, one poll loop: frames of the host, ended children, three relays. While crun runs,
 * only crun is waited for; the container's process may end before crun does, and its status must be
 * there when the process is known. Standard error is relayed from then on, too: until crun has
 * ended well, what comes there is crun's own reason to fail.
 */
#include "guest/init/container_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUSES_A_TURN 256

static const unsigned stream_ports[SESSION_STREAMS] = {
    [SESSION_STDIN] = PROTOCOL_PORT_STDIN,
    [SESSION_STDOUT] = PROTOCOL_PORT_STDOUT,
    [SESSION_STDERR] = PROTOCOL_PORT_STDERR,
};

static bool stream_is_used(const struct conf *conf, enum session_stream stream)
{
    if (stream == SESSION_STDIN)
        return conf->terminal || conf->standard_input;
    return !conf->terminal;
}

int session_start_connecting(struct session *session, struct failure *failure)
{
    session->control.fd =
        session->transport->start_connect(&session->conf, PROTOCOL_PORT_CONTROL, failure);
    if (session->control.fd < 0)
        return -1;
    for (unsigned i = 0; i < SESSION_STREAMS; i++) {
        if (!stream_is_used(&session->conf, i))
            continue;
        session->sockets[i] =
            session->transport->start_connect(&session->conf, stream_ports[i], failure);
        if (session->sockets[i] < 0)
            return -1;
    }
    return 0;
}

int session_finish_connecting(struct session *session, struct failure *failure)
{
    if (session->transport->finish_connect(session->control.fd, PROTOCOL_PORT_CONTROL, failure) < 0)
        return -1;
    for (unsigned i = 0; i < SESSION_STREAMS; i++)
        if (session->sockets[i] >= 0 &&
            session->transport->finish_connect(session->sockets[i], stream_ports[i], failure) < 0)
            return -1;
    return 0;
}

static int watch_children(struct session *session, struct failure *failure)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    session->child_signal = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return session->child_signal < 0 ? failure_set_errno(failure, "signalfd") : 0;
}

static void relay_connect(struct session *session, enum session_stream stream, int ours)
{
    if (stream == SESSION_STDIN)
        relay_open(&session->relays[stream], session->sockets[stream], ours);
    else
        relay_open(&session->relays[stream], ours, session->sockets[stream]);
}

/* The container runs. */
static int attach(struct session *session, struct failure *failure)
{
    struct container *container = &session->container;

    session->transport->mark(&session->control, DOORBELL_MARK_CONTAINER);
    control_send(&session->control, PROTOCOL_STARTED, NULL, 0);
    if (!session->conf.terminal) {
        relay_connect(session, SESSION_STDERR, container->error);
        return 0;
    }
    /* One connection carries both directions; each relay owns a descriptor of its own for it. */
    close(container->error);
    session->sockets[SESSION_STDOUT] = fcntl(session->sockets[SESSION_STDIN], F_DUPFD_CLOEXEC, 0);
    if (session->sockets[SESSION_STDOUT] < 0)
        return failure_set_errno(failure, "terminal");
    relay_connect(session, SESSION_STDIN, container->input);
    relay_connect(session, SESSION_STDOUT, container->output);
    return 0;
}

static void note_end(struct session *session, int wait_status)
{
    session->transport->mark(&session->control, DOORBELL_MARK_EXIT);
    session->container.pid = 0;
    session->ended = true;
    session->status = (uint8_t)(WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
                                                         : WEXITSTATUS(wait_status));
    relay_close(&session->relays[SESSION_STDIN]);
}

/* crun has ended well: the container runs, or, if it is to be traced, has been created. */
static int take_container(struct session *session, struct failure *failure)
{
    struct container *container = &session->container;

    if (!session->trace.on) {
        if (container_attach(container, &session->conf, failure) < 0)
            return -1;
        if (session->conf.trace) {
            session->early_end = -1;
            return trace_begin(&session->trace, container->pid, failure) < 0
                       ? -1
                       : container_start_created(container, &session->conf, failure);
        }
    }
    if (attach(session, failure) < 0)
        return -1;
    if (session->trace.on && session->early_end >= 0)
        note_end(session, session->early_end);
    return 0;
}

/* A process has ended. */
static int take_end(struct session *session, pid_t pid, int status, struct failure *failure)
{
    struct container *container = &session->container;

    trace_forget(&session->trace, pid);
    if (pid == container->runtime) {
        container->runtime = 0;
        return status != 0 ? container_explain(container, &session->conf, status, failure)
                           : take_container(session, failure);
    }
    if (pid == container->pid && container->runtime > 0)
        session->early_end = status;
    else if (pid == container->pid)
        note_end(session, status);
    return 0;
}

/* A turn is bounded: of several traced processes at work one always has stopped. */
static int reap(struct session *session, struct failure *failure)
{
    const struct container *container = &session->container;
    struct signalfd_siginfo ignored;
    int status;
    pid_t pid;

    if (!session->children_wait && read(session->child_signal, &ignored, sizeof(ignored)) < 0)
        return 0;
    session->children_wait = true;
    for (unsigned i = 0; i < STATUSES_A_TURN; i++) {
        /* Whose process is the container's, and how it ended, is known from crun. */
        bool unknown = container->runtime > 0 && !session->trace.on;

        pid = waitpid(unknown ? container->runtime : -1, &status, WNOHANG | __WALL);
        if (pid <= 0) {
            session->children_wait = false;
            return 0;
        }
        if (WIFSTOPPED(status))
            trace_take_stop(&session->trace, pid, status);
        else if (take_end(session, pid, status, failure) < 0)
            return -1;
    }
    return 0;
}

static void handle_frame(struct session *session, const struct control_frame *frame)
{
    const unsigned char *payload = frame->payload;

    if (frame->type == PROTOCOL_SIGNAL && frame->size == sizeof(struct protocol_signal)) {
        container_signal(&session->container, &session->conf, payload[0]);
    } else if (frame->type == PROTOCOL_WINDOW && frame->size == sizeof(struct protocol_window)) {
        const struct winsize size = {
            .ws_row = (unsigned short)(payload[0] | payload[1] << 8),
            .ws_col = (unsigned short)(payload[2] | payload[3] << 8),
        };

        if (session->conf.terminal && session->relays[SESSION_STDOUT].from >= 0)
            ioctl(session->relays[SESSION_STDOUT].from, TIOCSWINSZ, &size);
    }
}

/* Takes all frames that are there; false when the host is gone. */
static bool take_frames(struct session *session)
{
    struct control_frame frame;
    int result;

    while ((result = control_receive(&session->control, &frame)) == 1)
        handle_frame(session, &frame);
    return result == 0;
}

/* The host ends the input of a terminal only when its own has gone. A container whose terminal goes
 * gets what any process gets then: SIGHUP from the kernel, and the end of its input. */
static void pass_hang_up(struct session *session)
{
    if (session->conf.terminal && !session->ended &&
        !relay_is_open(&session->relays[SESSION_STDIN]))
        relay_close(&session->relays[SESSION_STDOUT]);
}

static bool output_is_open(const struct session *session)
{
    return relay_is_open(&session->relays[SESSION_STDOUT]) ||
           relay_is_open(&session->relays[SESSION_STDERR]);
}

/* Output that is lost is not a command's success. */
static int check_output(const struct session *session, struct failure *failure)
{
    for (unsigned i = SESSION_STDOUT; i < SESSION_STREAMS; i++) {
        if (session->relays[i].error)
            return failure_set(failure, "the command's output was lost: %s",
                               strerror(session->relays[i].error));
    }
    return 0;
}

int session_run(struct session *session, struct failure *failure)
{
    struct container *container = &session->container;

    if (watch_children(session, failure) < 0 ||
        container_start(container, &session->conf, failure) < 0)
        return -1;
    if (!session->conf.terminal) {
        relay_connect(session, SESSION_STDOUT, container->output);
        if (session->conf.standard_input)
            relay_connect(session, SESSION_STDIN, container->input);
    }
    while (!session->ended || output_is_open(session)) {
        struct pollfd polls[2 + SESSION_STREAMS] = {
            {.fd = session->control.fd, .events = POLLIN},
            {.fd = session->child_signal, .events = POLLIN},
        };

        for (unsigned i = 0; i < SESSION_STREAMS; i++)
            polls[2 + i] = relay_poll(&session->relays[i]);
        if (poll(polls, 2 + SESSION_STREAMS, session->children_wait ? 0 : -1) < 0)
            continue;
        if (polls[0].revents && !take_frames(session))
            return 1;
        for (unsigned i = 0; i < SESSION_STREAMS; i++)
            if (polls[2 + i].revents)
                relay_step(&session->relays[i]);
        pass_hang_up(session);
        if ((polls[1].revents || session->children_wait) && reap(session, failure) < 0)
            return -1;
    }
    if (check_output(session, failure) < 0)
        return -1;
    if (session->trace.on)
        trace_tell(&session->trace, &session->control);
    control_send(&session->control, PROTOCOL_EXIT, &session->status, sizeof(session->status));
    return 0;
}

void session_wait_drained(struct session *session)
{
    struct pollfd poll_fd = {.fd = session->control.fd, .events = POLLIN};
    struct control_frame frame;
    int result;

    while ((result = control_receive(&session->control, &frame)) >= 0) {
        if (result == 1 && frame.type == PROTOCOL_DRAINED)
            return;
        if (result == 0)
            poll(&poll_fd, 1, -1);
    }
}
