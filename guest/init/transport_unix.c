/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init on a host, as process 1 of a container's outer namespaces: the connections to the client are
 * inherited, and marks travel as messages.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest/init/transport.h"

static int start_connect(unsigned port, struct failure *failure)
{
    int fd = PROTOCOL_CONTROL_FD + (int)(port - PROTOCOL_PORT_CONTROL);

    if (fd >= PROTOCOL_FDS_END || fcntl(fd, F_GETFD) < 0)
        return failure_set(failure, "descriptor %d, for port %u, was not inherited", fd, port);
    return fd;
}

/* The two ends of a pair are connected from the start. */
static int finish_connect(int fd, unsigned port, struct failure *failure)
{
    (void)fd;
    (void)port;
    (void)failure;
    return 0;
}

static void mark(struct control *control, enum doorbell_mark number)
{
    const unsigned char payload[sizeof(struct protocol_mark)] = {(unsigned char)number};

    control_send(control, PROTOCOL_MARK, PROTOCOL_CONTAINER, payload, sizeof(payload));
}

/* The kernel ends whatever is left in this process's namespace. */
static void __attribute__((noreturn)) end(uint8_t status)
{
    (void)status; /* the client has it already */
    exit(0);
}

static void __attribute__((noreturn)) give_up(const struct failure *failure)
{
    dprintf(STDERR_FILENO, "microvm: %s\n", failure->text);
    exit(FAILURE_RUNNER);
}

const struct transport transport_unix = {start_connect, finish_connect, mark, end, give_up};
