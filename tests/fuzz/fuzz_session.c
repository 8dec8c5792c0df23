/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's init and its monitor say to the client: messages, tables of system calls,
 * exit statuses, control events, output. The session, a real one on real sockets, ends whatever was
 * said, by a status or by one line of why.
 */
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/script.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"
#include "vmm/sandbox/session.h"

#define NOBODY 0x3fffffff /* a process that cannot be */

/* Both ends of one session, of which this side is the guest and the monitor. */
struct talk {
    struct session session;
    struct timeline timeline;
    struct syscall_table calls;
    struct script script;
    struct guest_request request; /* empty: nobody would read it */
    int control, output, monitor;
    atomic_bool ended; /* nobody listens any more */
};

static struct talk talk;

static void prepare(void)
{
    log_configure(-1, LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    if (!freopen("/dev/null", "w", stdout))
        abort();
    stderr = fopen("/dev/null", "w"); /* the guest's console goes there; the fuzzer has its own */
}

/* Until the client has taken all that was sent: later words do not overtake earlier ones. */
static void wait_for_client(int fd)
{
    int unread = 1;

    while (unread > 0 && !atomic_load(&talk.ended)) {
        if (ioctl(fd, SIOCOUTQ, &unread) < 0)
            return;
        sched_yield();
    }
}

static void say(unsigned type, unsigned process, const void *payload, size_t size)
{
    unsigned char message[sizeof(struct protocol_header) + PROTOCOL_REPORT_MAX];

    store_le16(message, (uint16_t)type);
    store_le16(message + 2, (uint16_t)process);
    store_le32(message + 4, (uint32_t)size);
    if (size > 0)
        memcpy(message + sizeof(struct protocol_header), payload, size);
    (void)send(talk.control, message, sizeof(struct protocol_header) + size, MSG_NOSIGNAL);
}

static void say_hello(void)
{
    unsigned char payload[sizeof(struct protocol_hello)];

    store_le32(payload, PROTOCOL_MAGIC);
    store_le32(payload + 4, PROTOCOL_VERSION);
    store_le32(payload + 8, PROTOCOL_FEATURE_SYSCALLS);
    say(PROTOCOL_HELLO, 0, payload, sizeof(payload));
}

/* A message as it should be, but for what it says. */
static void say_message(struct script *script)
{
    unsigned char payload[PROTOCOL_REPORT_MAX];
    size_t size = script_u8(script);
    unsigned type = script_u8(script) % 16;
    unsigned process = type & 8 ? 1 : 0;

    type &= 7;
    if (type == PROTOCOL_SYSCALLS)
        size = (1 + size % PROTOCOL_SYSCALLS_MAX) * PROTOCOL_SYSCALL_SIZE;
    else if (type == PROTOCOL_STARTED)
        size = 0;
    else if (type == PROTOCOL_EXITED || type == PROTOCOL_MARK)
        size = 1;
    script_bytes(script, payload, size);
    say(type, process, payload, size);
}

static void say_step(struct script *script)
{
    char bytes[512];
    unsigned what = script_u8(script) % 8;
    size_t size;

    if (what >= 3) {
        say_message(script);
        return;
    }
    size = script_u16(script) % sizeof(bytes);
    size = size < script->left ? size : script->left;
    script_bytes(script, bytes, size);
    if (what == 0) {
        (void)send(talk.control, bytes, size, MSG_NOSIGNAL);
    } else if (what == 1) {
        (void)send(talk.output, bytes, size, MSG_NOSIGNAL);
    } else {
        wait_for_client(talk.control);
        (void)send(talk.monitor, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void *say_all(void *unused)
{
    (void)unused;
    if (script_u8(&talk.script) % 8 != 0) /* else what comes first is anything */
        say_hello();
    while (talk.script.left > 0 && !atomic_load(&talk.ended))
        say_step(&talk.script);
    wait_for_client(talk.control);
    close(talk.monitor);
    close(talk.output);
    close(talk.control);
    return NULL;
}

static void set_up(uint8_t flags)
{
    struct session *session = &talk.session;
    sigset_t before;
    int ends[2];

    session->terminal_wanted = flags & 1;
    session->calls = flags & 2 ? &talk.calls : NULL;
    session->timeline = &talk.timeline;
    session->request = &talk.request;
    session->monitor.link = (struct monitor_link)MONITOR_LINK_INIT;
    session->monitor.link.pid = NOBODY;
    /* The fuzzer has uses for signals of its own. */
    sigprocmask(SIG_BLOCK, NULL, &before);
    if (session_prepare(session, NULL) < 0 || session_connect(session, NULL) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    sigprocmask(SIG_SETMASK, &before, NULL);
    session->monitor.link.control_fd = ends[0];
    talk.monitor = ends[1];
    talk.control = dup(session->guest_ends[SESSION_PORT_CONTROL]);
    talk.output = dup(session->guest_ends[flags & 1 ? SESSION_PORT_STDIN : SESSION_PORT_STDOUT]);
    if (talk.control < 0 || talk.output < 0)
        abort();
}

/* One line that is harmless to a terminal. */
static void check_error(const struct error *err)
{
    if (err->code <= 0 || !err->text[0] || strchr(err->text, '\n') || strchr(err->text, '\033'))
        abort();
}

static void check_result(int rc, const struct error *problem)
{
    struct error err = ERROR_INIT;
    int status = -1;
    char *table = NULL;
    size_t size;
    FILE *out;

    if (rc < 0) {
        check_error(problem);
        return;
    }
    if (session_result(&talk.session, 0, &status, &err) < 0)
        check_error(&err);
    else if (status < 0 || status > 255)
        abort();
    out = open_memstream(&table, &size);
    if (!out)
        abort();
    syscall_table_write(&talk.calls, out);
    fclose(out);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct error problem = ERROR_INIT;
    pthread_t thread;
    int rc;

    if (!ready) {
        prepare();
        ready = true;
    }
    memset(&talk, 0, sizeof(talk));
    talk.script = (struct script){data, size};
    set_up(script_u8(&talk.script));
    if (pthread_create(&thread, NULL, say_all, NULL) != 0)
        abort();
    rc = session_run(&talk.session, &problem);
    atomic_store(&talk.ended, true);
    pthread_join(thread, NULL);
    check_result(rc, &problem);
    while (!stream_is_done(talk.session.streams[SESSION_STDOUT]) ||
           !stream_is_done(talk.session.streams[SESSION_STDERR]))
        sched_yield(); /* the guest has closed them: they come to their end */
    session_release(&talk.session);
    close(talk.session.monitor.link.control_fd);
    return 0;
}
