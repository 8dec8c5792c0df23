/* SPDX-License-Identifier: Apache-2.0 */
/* How init reaches the session: sockets in a directory, or connections that are made already. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

#include "vmm/base/unix_socket.h"
#include "vmm/sandbox/session.h"

static const unsigned ports[SESSION_PORTS] = {
    [SESSION_PORT_CONTROL] = PROTOCOL_PORT_CONTROL,
    [SESSION_PORT_STDIN] = PROTOCOL_PORT_STDIN,
    [SESSION_PORT_STDOUT] = PROTOCOL_PORT_STDOUT,
    [SESSION_PORT_STDERR] = PROTOCOL_PORT_STDERR,
};

static bool port_is_used(const struct session *session, enum session_port port)
{
    switch (port) {
    case SESSION_PORT_STDIN:
        return session->terminal_wanted || session->interactive;
    case SESSION_PORT_STDOUT:
    case SESSION_PORT_STDERR:
        return !session->terminal_wanted;
    default:
        return true;
    }
}

static int listen_at(const char *directory, unsigned port, struct error *err)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/vsock_%u", directory, port);
    return unix_socket_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 1, err);
}

int session_listen(struct session *session, const char *directory, struct error *err)
{
    for (unsigned i = 0; i < SESSION_PORTS; i++) {
        if (!port_is_used(session, i))
            continue;
        session->listeners[i] = listen_at(directory, ports[i], err);
        if (session->listeners[i] < 0)
            return session->listeners[i];
    }
    return 0;
}

int session_connect_guest(struct session *session, struct fd_table *descriptors, struct error *err)
{
    for (unsigned i = 0; i < SESSION_PORTS; i++) {
        char name[FD_TABLE_NAME_SIZE];
        int pair[2];
        int rc;

        if (!port_is_used(session, i))
            continue;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            return error_set_errno(err, errno, "sockets to the guest");
        session->connections[i] = pair[0];
        session->guest_ends[i] = pair[1];
        /* The two ends have flags of their own. */
        if (fcntl(pair[1], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
            return error_set_errno(err, errno, "sockets to the guest");
        snprintf(name, sizeof(name), "vsock-%u", ports[i]);
        rc = fd_table_add(descriptors, name, pair[1], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
