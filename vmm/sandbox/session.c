/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one container.
 *
 * Order of an end: EXITED comes; each output stream reaches its end, which the guest had sent
 * before EXITED; DRAINED goes out; the guest rings its doorbell; the monitor says so and ends. When
 * the VM dies before, the streams end because the monitor's sockets do.
 *
 * Signals: until the container runs they are kept and delivered when it does; the second SIGINT,
 * SIGTERM or SIGQUIT then stops the VM, so that nobody needs to wait for a guest that hangs,
 * that says that its container has ended and does not end, or that takes no messages. One more, and
 * even the monitor is not waited for any longer.
 */
#include "vmm/sandbox/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/io.h"

/* Of the command, not of the runner: docker's. */
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND      127

#define TRACE_PIPE_SIZE (1 << 20) /* bytes of pipe */

/* For a guest whose command has ended, and whose output is all here, to switch itself off. */
#define GUEST_END_MS 30000

/* ---- before the start ---- */

/* What docker forwards, but for the signals of job control, which stop and continue this process.
 * SIGPIPE is blocked so that a write says EPIPE. */
static void fill_signals(sigset_t *set)
{
    static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGUSR1, SIGUSR2,
                                    SIGTERM, SIGALRM, SIGWINCH, SIGCONT};

    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LENGTH(forwarded); i++)
        sigaddset(set, forwarded[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(set, number);
}

/* As large as an unprivileged pipe can be: events come in bursts. */
static int open_trace_pipe(struct session *session)
{
    if (pipe2(session->trace_pipe, O_CLOEXEC) < 0)
        return -1;
    (void)fcntl(session->trace_pipe[0], F_SETPIPE_SZ, TRACE_PIPE_SIZE);
    return 0;
}

static int start_trace(struct session *session, struct error *err)
{
    if (!session->traced)
        return 0;
    close(session->trace_pipe[1]); /* the monitor alone has it now */
    session->trace_pipe[1] = -1;
    return stream_start_lines(session->trace_pipe[0], STDERR_FILENO, session->stream_event,
                              &session->trace, err);
}

int session_prepare(struct session *session, struct error *err)
{
    sigset_t handled;
    sigset_t blocked;

    session->stream_event = -1;
    session->signal_fd = -1;
    for (unsigned i = 0; i < SESSION_PORTS; i++)
        session->connections[i] = session->guest_ends[i] = -1;
    session->trace_pipe[0] = session->trace_pipe[1] = -1;
    fill_signals(&handled);
    blocked = handled;
    sigaddset(&blocked, SIGPIPE);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    session->signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    session->stream_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (session->signal_fd < 0 || session->stream_event < 0)
        return error_set_errno(err, errno, "signals");
    if (session->traced && open_trace_pipe(session) < 0)
        return error_set_errno(err, errno, "--explain: pipe");
    return 0;
}

/* ---- to the guest and to the monitor ---- */

static bool request_is_sent(const struct session *session)
{
    return session->request_sent == session->request->size;
}

/* A guest that is gone is noticed where its messages are read. */
static bool guest_is_gone(int error)
{
    return error == EPIPE || error == ECONNRESET;
}

int session_send_request(struct session *session, struct error *err)
{
    const struct guest_request *request = session->request;
    ssize_t count;

    if (request_is_sent(session))
        return 0;
    count = send(session->connections[SESSION_PORT_CONTROL], request->data + session->request_sent,
                 request->size - session->request_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0)
        session->request_sent += (size_t)count;
    else if (count < 0 && guest_is_gone(errno))
        session->request_sent = request->size;
    else if (count < 0 && errno != EAGAIN && errno != EINTR)
        return error_set_errno(err, errno, "cannot send the request to the guest's init");
    return 0;
}

/* Returns whether it has gone out. A guest that reads nothing for so long loses the message; the
 * client must not hang with it. */
static bool send_message(const struct session *session, enum protocol_type type,
                         const void *payload, size_t size)
{
    unsigned char message[GUEST_MESSAGE_SIZE_MAX];
    size_t total = guest_message_encode(message, type, payload, size);
    int fd = session->connections[SESSION_PORT_CONTROL];

    return fd >= 0 && request_is_sent(session) &&
           send(fd, message, total, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)total;
}

/* All output is written. A guest that cannot be told so must not wait for it. */
static void send_drained(const struct session *session)
{
    if (!send_message(session, PROTOCOL_DRAINED, NULL, 0))
        (void)shutdown(session->connections[SESSION_PORT_CONTROL], SHUT_RDWR);
}

static bool send_signal(const struct session *session, uint8_t number)
{
    const struct protocol_signal payload = {number};

    return send_message(session, PROTOCOL_SIGNAL, &payload, sizeof(payload));
}

static void send_window(const struct session *session)
{
    uint16_t rows;
    uint16_t columns;
    unsigned char payload[sizeof(struct protocol_window)];

    if (!session->terminal_wanted || !terminal_size(STDOUT_FILENO, &rows, &columns))
        return;
    store_le16(payload, rows);
    store_le16(payload + 2, columns);
    (void)send_message(session, PROTOCOL_WINDOW, payload, sizeof(payload));
}

static void stop_sandbox(struct session *session, int number)
{
    session->stop_signal = number;
    if (session->child == SESSION_CHILD_INIT)
        kill(session->monitor.link.pid, SIGKILL);
    else
        monitor_client_stop(&session->monitor);
}

/* ---- signals ---- */

static bool means_stop(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGQUIT;
}

/* Nobody takes this signal now. */
static void keep_signal(struct session *session, int number)
{
    bool again = false;

    for (int kept = 1; kept <= SIGRTMAX; kept++)
        again = again || (means_stop(kept) && sigismember(&session->kept_signals, kept) == 1);
    if (again && means_stop(number))
        stop_sandbox(session, number);
    else
        sigaddset(&session->kept_signals, number);
}

static void handle_signal(struct session *session, int number)
{
    if (number == SIGCONT || number == SIGWINCH) {
        if (number == SIGCONT && session->terminal.raw) {
            terminal_restore(&session->terminal); /* another program may have changed it */
            terminal_make_raw(STDIN_FILENO, &session->terminal);
        }
        send_window(session);
    } else if (session->monitor.ended || session->stop_signal) {
        session->abandoned = session->abandoned || means_stop(number) || number == SIGHUP;
    } else if (!session->started || session->finished || !send_signal(session, (uint8_t)number)) {
        keep_signal(session, number);
    }
}

static void take_signals(struct session *session)
{
    struct signalfd_siginfo info;

    while (read(session->signal_fd, &info, sizeof(info)) == sizeof(info))
        handle_signal(session, (int)info.ssi_signo);
}

/* ---- connections of the guest ---- */

static int start_stream(struct session *session, enum session_stream stream, int from, int to,
                        struct error *err)
{
    return stream_start(from, to, session->stream_event, &session->streams[stream], err);
}

static int start_streams(struct session *session, enum session_port port, int fd, struct error *err)
{
    switch (port) {
    case SESSION_PORT_STDIN:
        if (session->interactive) {
            int rc = start_stream(session, SESSION_STDIN, STDIN_FILENO, fd, err);

            if (rc < 0)
                return rc;
        }
        return session->terminal_wanted
                   ? start_stream(session, SESSION_STDOUT, fd, STDOUT_FILENO, err)
                   : 0;
    case SESSION_PORT_STDOUT:
        return start_stream(session, SESSION_STDOUT, fd, STDOUT_FILENO, err);
    case SESSION_PORT_STDERR:
        return start_stream(session, SESSION_STDERR, fd, STDERR_FILENO, err);
    default:
        return 0;
    }
}

/* Only the guest has its ends now. */
static int start_guest_streams(struct session *session, struct error *err)
{
    for (unsigned i = 0; i < SESSION_PORTS; i++) {
        int rc;

        if (session->guest_ends[i] < 0)
            continue;
        close(session->guest_ends[i]);
        session->guest_ends[i] = -1;
        rc = start_streams(session, i, session->connections[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The guest may not have connected its streams: they would never end. */
static void end_streams(const struct session *session)
{
    for (unsigned i = SESSION_PORT_STDIN; i < SESSION_PORTS; i++)
        if (session->connections[i] >= 0)
            (void)shutdown(session->connections[i], SHUT_RDWR);
}

/* Only an init on the host may report its steps: a guest has the doorbell for that. */
static int handle_mark(struct session *session, uint8_t mark, struct error *err)
{
    const struct control_event event = {
        .type = CONTROL_EVENT_MARK, .mark = mark, .time_ns = io_now_ns()};

    if (session->child != SESSION_CHILD_INIT)
        return error_set(err, EPROTO, "the guest sent a mark instead of ringing its doorbell");
    timeline_note_event(session->timeline, &event);
    return 0;
}

static int handle_hello(const struct session *session, const struct guest_message *message,
                        struct error *err)
{
    if (session->calls && !(message->features & PROTOCOL_FEATURE_SYSCALLS))
        return error_set(err, ENOTSUP,
                         "--explain: this initramfs cannot count system calls; use the one that "
                         "came with this microvm");
    return 0;
}

static int take_calls(struct session *session, const struct guest_message *message,
                      struct error *err)
{
    if (!session->calls || session->finished)
        return error_set(err, EPROTO, "the guest sent counts of system calls without --explain");
    for (unsigned i = 0; i < message->call_count; i++) {
        int rc = syscall_table_add(session->calls, &message->calls[i], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static void handle_started(struct session *session)
{
    session->started = true;
    send_window(session);
    for (int number = 1; number <= SIGRTMAX; number++)
        if (sigismember(&session->kept_signals, number) == 1 &&
            send_signal(session, (uint8_t)number))
            sigdelset(&session->kept_signals, number);
}

/* EXITED or FAILED. */
static void handle_last(struct session *session, const struct guest_message *message)
{
    if (!session->finished)
        session->last = *message;
    session->finished = true;
    if (!session->started)
        end_streams(session);
}

static int handle_message(struct session *session, const struct guest_message *message,
                          struct error *err)
{
    switch (message->type) {
    case PROTOCOL_HELLO:
        return handle_hello(session, message, err);
    case PROTOCOL_MARK:
        return handle_mark(session, message->mark, err);
    case PROTOCOL_SYSCALLS:
        return take_calls(session, message, err);
    case PROTOCOL_STARTED:
        handle_started(session);
        return 0;
    default:
        handle_last(session, message);
        return 0;
    }
}

static int take_messages(struct session *session, struct error *err)
{
    int fd = session->connections[SESSION_PORT_CONTROL];
    unsigned char buffer[sizeof(session->reader.buffer)];
    const unsigned char *data = buffer;
    ssize_t count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    size_t size = count > 0 ? (size_t)count : 0;
    struct guest_message message;
    int rc;

    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        close(fd); /* the monitor says how it has ended */
        session->connections[SESSION_PORT_CONTROL] = -1;
        return 0;
    }
    while ((rc = guest_message_read(&session->reader, &data, &size, &message, err)) == 1) {
        rc = handle_message(session, &message, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* ---- messages of the monitor ---- */

static int take_event(struct session *session, struct error *err)
{
    struct control_event event;
    int rc;

    if (session->child == SESSION_CHILD_INIT) {
        session->monitor.ended = true; /* its pid_fd says no more than that */
        return 0;
    }
    rc = monitor_client_receive(&session->monitor, &event, err);
    if (rc > 0)
        timeline_note_event(session->timeline, &event);
    return rc < 0 ? rc : 0;
}

/* ---- the loop ---- */

static bool output_is_done(const struct session *session)
{
    return stream_is_done(session->streams[SESSION_STDOUT]) &&
           stream_is_done(session->streams[SESSION_STDERR]);
}

static bool all_is_said(const struct session *session)
{
    return session->monitor.ended && output_is_done(session) && stream_is_done(session->trace);
}

static int handle_polls(struct session *session, const struct pollfd *polls, struct error *err)
{
    uint64_t ignored;

    if (polls[0].revents)
        take_signals(session);
    if (polls[1].revents && read(session->stream_event, &ignored, sizeof(ignored)) < 0)
        return error_set_errno(err, errno, "standard streams");
    if (polls[2].revents) {
        int rc = take_event(session, err);

        if (rc < 0)
            return rc;
    }
    if (polls[3].revents & POLLOUT) {
        int rc = session_send_request(session, err);

        if (rc < 0)
            return rc;
    }
    return polls[3].revents & ~POLLOUT ? take_messages(session, err) : 0;
}

/* Takes from an output stream what outlives it. */
static void note_stream(struct session *session, const struct stream *stream)
{
    uint64_t *first_byte = &session->timeline->at_ns[TIMELINE_FIRST_BYTE];
    uint64_t at_ns = stream_first_byte_ns(stream);

    if (at_ns > 0 && (*first_byte == 0 || at_ns < *first_byte))
        *first_byte = at_ns;
    if (session->output_error == 0)
        session->output_error = stream_error(stream);
}

static int child_fd(const struct session *session)
{
    if (session->child == SESSION_CHILD_MONITOR)
        return monitor_client_fd(&session->monitor);
    return session->monitor.ended ? -1 : session->monitor.link.pid_fd;
}

/* One turn of the loop. */
static int take_turn(struct session *session, struct error *err)
{
    struct pollfd polls[] = {
        {.fd = session->signal_fd, .events = POLLIN},
        {.fd = session->stream_event, .events = POLLIN},
        {.fd = child_fd(session), .events = POLLIN},
        {.fd = session->connections[SESSION_PORT_CONTROL],
         .events = request_is_sent(session) ? POLLIN : POLLIN | POLLOUT},
    };
    int rc;

    if (poll(polls, ARRAY_LENGTH(polls), monitor_link_patience_ms(&session->monitor.link)) < 0)
        return 0;
    rc = handle_polls(session, polls, err);
    if (session->finished && !session->drained && output_is_done(session)) {
        session->drained = true;
        send_drained(session);
        if (session->child == SESSION_CHILD_MONITOR)
            monitor_link_end_by(&session->monitor.link, GUEST_END_MS);
    }
    if (monitor_link_is_overdue(&session->monitor.link))
        session->abandoned = true;
    return rc;
}

int session_run(struct session *session, struct error *err)
{
    int rc = start_trace(session, err);

    if (rc == 0)
        rc = start_guest_streams(session, err);
    if (session->terminal_wanted && session->interactive)
        terminal_make_raw(STDIN_FILENO, &session->terminal);
    while (rc == 0 && !session->abandoned && !all_is_said(session))
        rc = take_turn(session, err);
    for (unsigned i = SESSION_STDOUT; i < SESSION_STREAMS; i++)
        note_stream(session, session->streams[i]);
    return rc;
}

/* ---- after it ---- */

static int child_error(enum session_child child, int status, struct error *err)
{
    const char *name = child == SESSION_CHILD_INIT ? "the container's init" : "the monitor process";

    if (WIFSIGNALED(status))
        return error_set(err, ECHILD, "%s was ended by signal %d (%s)", name, WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    return error_set(err, ECHILD, "%s ended unexpectedly, with status %d", name,
                     WEXITSTATUS(status));
}

/* The guest's last words, for a person who wonders why it has ended. */
static void show_console(const char *console)
{
    while (*console) {
        size_t length = strcspn(console, "\n");

        fprintf(stderr, "guest: %.*s\n", (int)length, console);
        console += length + (console[length] == '\n');
    }
}

/* A failure that another process reports, which may not say why. */
static int told_error(const char *who, const char *text, struct error *err)
{
    if (!text[0])
        return error_set(err, EIO, "%s failed without saying why", who);
    return error_set(err, EIO, "%s", text);
}

static int end_error(const struct control_event *end, struct error *err)
{
    show_console(end->console);
    switch (end->reason) {
    case MACHINE_PANIC:
        return error_set(err, EIO,
                         "the guest has panicked; the last lines of its console are above");
    case MACHINE_RESET:
        return error_set(err, EIO, "the guest has reset the VM");
    case MACHINE_ERROR:
        return told_error("the monitor", end->text, err);
    case MACHINE_STOPPED:
        return error_set(err, EINTR, "the VM was stopped: %s", end->text);
    default:
        return error_set(err, EIO, "the guest has ended without saying how its command ended");
    }
}

int session_result(const struct session *session, int child_status, int *status, struct error *err)
{
    if (session->stop_signal && !session->finished) {
        *status = 128 + session->stop_signal;
        return 0;
    }
    if (!session->finished)
        return session->monitor.end_known ? end_error(&session->monitor.end, err)
                                          : child_error(session->child, child_status, err);
    if (session->output_error)
        return error_set_errno(err, session->output_error, "cannot write the command's output");
    if (session->last.type == PROTOCOL_FAILED && session->last.status != STATUS_NOT_EXECUTABLE &&
        session->last.status != STATUS_NOT_FOUND)
        return told_error("the guest's init", session->last.text, err);
    *status = session->last.status;
    return 0;
}

void session_release(struct session *session)
{
    bool quiet = true;

    terminal_restore(&session->terminal);
    for (unsigned i = 0; i < SESSION_STREAMS; i++)
        quiet = stream_release(session->streams[i]) && quiet;
    quiet = stream_release(session->trace) && quiet;
    for (unsigned i = 0; i < SESSION_PORTS; i++)
        if (session->guest_ends[i] >= 0)
            close(session->guest_ends[i]);
    if (session->signal_fd >= 0)
        close(session->signal_fd);
    if (session->trace_pipe[1] >= 0)
        close(session->trace_pipe[1]);
    if (!quiet)
        return; /* a thread may still use the rest */
    for (unsigned i = 0; i < SESSION_PORTS; i++)
        if (session->connections[i] >= 0)
            close(session->connections[i]);
    if (session->trace_pipe[0] >= 0)
        close(session->trace_pipe[0]);
    if (session->stream_event >= 0)
        close(session->stream_event);
}
