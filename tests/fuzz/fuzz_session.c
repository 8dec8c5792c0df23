/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's init and its monitor say to the client: frames, tables of system calls,
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
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/script.h"
#include "vmm/base/log.h"
#include "vmm/sandbox/session.h"

#define NOBODY 0x3fffffff /* a process that cannot be */

/* Both ends of one session, of which this side is the guest and the monitor. */
struct talk {
    struct session session;
    struct timeline timeline;
    struct syscall_table calls;
    struct script script;
    int control, output, monitor;
    atomic_bool ended; /* nobody listens any more */
};

static char directory[] = "/tmp/microvm-fuzz-XXXXXX";
static struct talk talk;

static void clean_up(void)
{
    rmdir(directory);
}

static void prepare(void)
{
    log_configure(-1, LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(directory) || !freopen("/dev/null", "w", stdout))
        abort();
    atexit(clean_up);
    stderr = fopen("/dev/null", "w"); /* the guest's console goes there; the fuzzer has its own */
}

static int connect_to(unsigned port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/vsock_%u", directory, port);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        abort();
    unlink(address.sun_path);
    return fd;
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

/* A frame as it should be, but for what it says. */
static void say_frame(struct script *script)
{
    unsigned char frame[FRAME_SIZE_MAX];
    unsigned char payload[PROTOCOL_PAYLOAD_MAX];
    size_t size = script_u8(script);
    unsigned type = script_u8(script) % 8;

    if (type == PROTOCOL_SYSCALLS)
        size = (1 + size % PROTOCOL_SYSCALLS_MAX) * PROTOCOL_SYSCALL_SIZE;
    else if (type == PROTOCOL_STARTED)
        size = 0;
    else if (type == PROTOCOL_EXIT || type == PROTOCOL_MARK)
        size = 1;
    script_bytes(script, payload, size);
    size = frame_build(frame, (enum protocol_type)type, payload, size);
    (void)send(talk.control, frame, size, MSG_NOSIGNAL);
}

static void say_step(struct script *script)
{
    char bytes[512];
    unsigned what = script_u8(script) % 8;
    size_t size;

    if (what >= 3) {
        say_frame(script);
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
    session->link = (struct monitor_link)MONITOR_LINK_INIT;
    session->link.pid = NOBODY;
    /* The fuzzer has uses for signals of its own. */
    sigprocmask(SIG_BLOCK, NULL, &before);
    if (session_prepare(session, NULL) < 0 || session_listen(session, directory, NULL) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    sigprocmask(SIG_SETMASK, &before, NULL);
    session->link.control_fd = ends[0];
    talk.monitor = ends[1];
    talk.control = connect_to(PROTOCOL_PORT_CONTROL);
    talk.output = connect_to(flags & 1 ? PROTOCOL_PORT_STDIN : PROTOCOL_PORT_STDOUT);
    if (!(flags & 1))
        close(connect_to(PROTOCOL_PORT_STDERR));
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
    close(talk.session.link.control_fd);
    return 0;
}
