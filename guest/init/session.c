/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the client asks init for, from its first message to the last.
 *
 * One thread, one poll loop: messages of the client, ended children, and the relays of the process.
 */
#include "guest/init/session.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/init/bundle_files.h"

#define STATUSES_A_TURN 256

int session_start_connecting(struct session *session, struct failure *failure)
{
    session->control.fd = session->transport->start_connect(PROTOCOL_PORT_CONTROL, failure);
    return session->control.fd < 0 ? -1 : 0;
}

/* ---- before the process ---- */

/* One message of a request. Sets *complete at its last. */
static int take_request(struct session *session, struct bundle_files *files,
                        const struct message *message, bool *complete, struct failure *failure)
{
    switch (message->type) {
    case PROTOCOL_SETUP:
        return machine_options_parse(message->payload, message->size, &session->machine, failure);
    case PROTOCOL_FILE:
        return bundle_files_begin(files, message, failure);
    case PROTOCOL_DATA:
        return bundle_files_append(files, message, failure);
    case PROTOCOL_RUN:
        if (message->process != PROTOCOL_CONTAINER)
            return failure_set(failure, "process %u: the container's comes first",
                               message->process);
        *complete = true;
        return process_options_parse(message->payload, message->size, &session->process.options,
                                     failure);
    default:
        return 0;
    }
}

static int receive_message(struct session *session, struct message *message,
                           struct failure *failure)
{
    switch (control_wait(&session->control, message)) {
    case CONTROL_MESSAGE:
        return 0;
    case CONTROL_FOREIGN:
        return failure_set(failure,
                           "the client does not speak version %d of the guest protocol; use the "
                           "initramfs that came with this microvm",
                           PROTOCOL_VERSION);
    default:
        return failure_set(failure, "the client is gone");
    }
}

int session_receive_request(struct session *session, struct failure *failure)
{
    struct bundle_files files = {.directory = session->directory, .fd = -1};
    bool complete = false;
    struct message message;
    int result;

    if (session->transport->finish_connect(session->control.fd, PROTOCOL_PORT_CONTROL, failure) < 0)
        return -1;
    do {
        result = receive_message(session, &message, failure);
        if (result == 0)
            result = take_request(session, &files, &message, &complete, failure);
    } while (result == 0 && !complete);
    bundle_files_end(&files);
    if (result < 0)
        return -1;
    return process_start_connecting(&session->process, session->transport, failure);
}

/* ---- while it runs ---- */

static int watch_children(struct session *session, struct failure *failure)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    session->child_signal = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return session->child_signal < 0 ? failure_set_errno(failure, "signalfd") : 0;
}

static int take_end(struct session *session, pid_t pid, int status, struct failure *failure)
{
    struct process *process = &session->process;
    bool had_ended = process->ended;
    bool started = false;

    if (process_take_end(process, pid, status, &started, failure) < 0)
        return -1;
    if (started) {
        session->transport->mark(&session->control, DOORBELL_MARK_CONTAINER);
        control_send(&session->control, PROTOCOL_STARTED, process->number, NULL, 0);
    }
    if (process->ended && !had_ended)
        session->transport->mark(&session->control, DOORBELL_MARK_EXIT);
    return 0;
}

/* A turn is bounded: of several traced processes at work one always has stopped. */
static int reap(struct session *session, struct failure *failure)
{
    struct process *process = &session->process;
    struct signalfd_siginfo ignored;
    int status;
    pid_t pid;

    if (!session->children_wait && read(session->child_signal, &ignored, sizeof(ignored)) < 0)
        return 0;
    session->children_wait = true;
    for (unsigned i = 0; i < STATUSES_A_TURN; i++) {
        /* Whose process is the container's, and how it ended, is known from crun. */
        bool unknown = process->container.runtime > 0 && !process->trace.on;

        pid = waitpid(unknown ? process->container.runtime : -1, &status, WNOHANG | __WALL);
        if (pid <= 0) {
            session->children_wait = false;
            return 0;
        }
        if (WIFSTOPPED(status))
            trace_take_stop(&process->trace, pid, status);
        else if (take_end(session, pid, status, failure) < 0)
            return -1;
    }
    return 0;
}

static void refuse_process(struct session *session, unsigned number)
{
    static const char text[] = "this init runs one process";
    unsigned char payload[sizeof(struct protocol_exit) + sizeof(text) - 1] = {FAILURE_RUNNER};

    memcpy(payload + sizeof(struct protocol_exit), text, sizeof(text) - 1);
    control_send(&session->control, PROTOCOL_FAILED, number, payload, sizeof(payload));
}

/* Takes all messages that are there; false when the client is gone. */
static bool take_messages(struct session *session)
{
    struct message message;
    int result;

    while ((result = control_receive(&session->control, &message)) == CONTROL_MESSAGE) {
        if (message.type == PROTOCOL_RUN)
            refuse_process(session, message.process);
        else if (message.process == session->process.number)
            process_handle_message(&session->process, &message);
    }
    return result == CONTROL_NOTHING;
}

/* One turn of the loop. Returns 0, -1 with *failure filled, or 1 when the client is gone. */
static int take_turn(struct session *session, struct failure *failure)
{
    struct pollfd polls[2 + PROTOCOL_STREAMS] = {
        {.fd = session->control.fd, .events = POLLIN},
        {.fd = session->child_signal, .events = POLLIN},
    };

    process_poll(&session->process, polls + 2);
    if (poll(polls, 2 + PROTOCOL_STREAMS, session->children_wait ? 0 : -1) < 0)
        return 0;
    if (polls[0].revents && !take_messages(session))
        return 1;
    process_relay(&session->process, polls + 2);
    if (polls[1].revents || session->children_wait)
        return reap(session, failure);
    return 0;
}

int session_run(struct session *session, struct failure *failure)
{
    struct process *process = &session->process;

    if (watch_children(session, failure) < 0 ||
        process_start(process, session->directory, failure) < 0)
        return -1;
    while (!process_is_done(process)) {
        int result = take_turn(session, failure);

        if (result != 0)
            return result;
    }
    if (process_check_output(process, failure) < 0)
        return -1;
    if (process->trace.on)
        trace_send(&process->trace, &session->control, process->number);
    control_send(&session->control, PROTOCOL_EXITED, process->number, &process->status,
                 sizeof(process->status));
    return 0;
}

/* ---- the end ---- */

void session_report_failure(struct session *session, const struct failure *failure)
{
    unsigned char payload[sizeof(struct protocol_exit) + FAILURE_TEXT_SIZE];
    size_t length = strlen(failure->text);
    struct failure ignored;

    session->process.status = failure->status;
    if (session->control.fd < 0 || session->transport->finish_connect(
                                       session->control.fd, PROTOCOL_PORT_CONTROL, &ignored) < 0)
        session->transport->give_up(failure);
    process_disconnect(&session->process); /* the client waits for the end of each stream */
    payload[0] = failure->status;
    memcpy(payload + 1, failure->text, length);
    control_send(&session->control, PROTOCOL_FAILED, session->process.number, payload, 1 + length);
}

void session_wait_drained(struct session *session)
{
    struct message message;

    while (control_wait(&session->control, &message) == CONTROL_MESSAGE)
        if (message.type == PROTOCOL_DRAINED && message.process == session->process.number)
            return;
}
