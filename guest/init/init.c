/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of the guest. Makes the machine fit for one container, runs it, reports its
 * end and rings the doorbell. Never returns: the end of process 1 would be a kernel panic.
 *
 * The same program is process 1 of a container's outer namespaces on a host (`microvm-init --host
 * DIRECTORY`): there the client has mounted everything, and what is left to do is the same.
 *
 * The connections to the host are begun before the mounts and needed after them, so that the
 * host's work on them runs beside the guest's.
 */
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/init/container_session.h"
#include "guest/init/mount.h"
#include "guest/init/settings.h"
#include "guest/init/targets.h"
#include "guest/protocol.h"

/* A kernel without a network is no reason not to run. */
static void bring_up_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

static int prepare_machine(struct session *session, struct failure *failure)
{
    if (mount_system(failure) < 0 ||
        mount_container_root(session->conf.overlay_on_disk, failure) < 0)
        return -1;
    bring_up_loopback();
    settings_network();
    settings_memory();
    settings_limits();
    if (sethostname(session->conf.hostname, strlen(session->conf.hostname)) < 0)
        return failure_set_errno(failure, "hostname %s", session->conf.hostname);
    return 0;
}

/* `directory` is NULL in a machine. */
static int prepare(struct session *session, const char *directory, struct failure *failure)
{
    if (conf_read(directory ? directory : "", &session->conf, failure) < 0 ||
        session_start_connecting(session, failure) < 0)
        return -1;
    if (directory)
        settings_limits();
    else if (prepare_machine(session, failure) < 0)
        return -1;
    if (targets_make(&session->conf, failure) < 0)
        return -1;
    return session_finish_connecting(session, failure);
}

/* Tells the host why there is no container: over the connection, else as its last word. */
static void report_failure(struct session *session, const struct failure *failure)
{
    unsigned char payload[sizeof(struct protocol_exit) + FAILURE_TEXT_SIZE];
    size_t length = strlen(failure->text);
    struct failure ignored;

    if (session->control.fd < 0 || session->transport->finish_connect(
                                       session->control.fd, PROTOCOL_PORT_CONTROL, &ignored) < 0)
        session->transport->give_up(failure);
    for (unsigned i = 0; i < SESSION_STREAMS; i++)
        if (session->sockets[i] >= 0)
            close(session->sockets[i]); /* the host waits for the end of each stream */
    payload[0] = failure->status;
    memcpy(payload + 1, failure->text, length);
    control_send(&session->control, PROTOCOL_FAILURE, payload, 1 + length);
}

int main(int argc, char **argv)
{
    static struct session session;
    const char *directory = argc == 3 && strcmp(argv[1], "--host") == 0 ? argv[2] : NULL;
    struct failure failure;
    int result;

    if (directory) /* not for the runtime */
        fcntl(PROTOCOL_LOCK_FD, F_SETFD, FD_CLOEXEC);
    session.transport = directory ? &transport_unix : &transport_vsock;
    session.control.fd = -1;
    session.transport->mark(&session.control, DOORBELL_MARK_INIT);
    for (unsigned i = 0; i < SESSION_STREAMS; i++) {
        session.sockets[i] = -1;
        relay_open(&session.relays[i], -1, -1);
    }
    result = prepare(&session, directory, &failure);
    if (result == 0) {
        session.transport->mark(&session.control, DOORBELL_MARK_RUNTIME);
        result = session_run(&session, &failure);
    }
    if (result < 0) {
        session.status = failure.status;
        report_failure(&session, &failure);
    }
    session_wait_drained(&session);
    session.transport->end(session.status);
}
