/* SPDX-License-Identifier: Apache-2.0 */
/* The connections between a session and guest init. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "vmm/sandbox/session.h"

_Static_assert(PROTOCOL_PORT_CONTROL + SESSION_PORT_STDERR ==
                   PROTOCOL_PORT_STREAM(PROTOCOL_CONTAINER, PROTOCOL_STDERR),
               "a session's ports are those of the guest protocol");

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

int session_connect(struct session *session, struct error *err)
{
    for (unsigned i = 0; i < SESSION_PORTS; i++) {
        int pair[2];

        if (!port_is_used(session, i))
            continue;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            return error_set_errno(err, errno, "sockets to the guest");
        session->connections[i] = pair[0];
        session->guest_ends[i] = pair[1];
        /* The two ends have flags of their own. */
        if (fcntl(pair[1], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
            return error_set_errno(err, errno, "sockets to the guest");
    }
    return session_send_request(session, err);
}

int session_list_guest_ends(const struct session *session, struct fd_table *descriptors,
                            struct error *err)
{
    for (unsigned i = 0; i < SESSION_PORTS; i++) {
        char name[FD_TABLE_NAME_SIZE];
        int rc;

        if (session->guest_ends[i] < 0)
            continue;
        snprintf(name, sizeof(name), "vsock-%u", PROTOCOL_PORT_CONTROL + i);
        rc = fd_table_add(descriptors, name, session->guest_ends[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
