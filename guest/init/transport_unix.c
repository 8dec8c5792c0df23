/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Init on a host, as process 1 of a container's outer namespaces: the client is reached by
 * the UNIX sockets that a monitor would connect a guest's vsock to, and marks travel as frames.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest/init/transport.h"

static int start_connect(const struct conf *conf, unsigned port, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return failure_set_errno(failure, "socket");
    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/vsock_%u", conf->directory,
                 port) >= (int)sizeof(address.sun_path))
        errno = ENAMETOOLONG;
    else if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    failure_set_errno(failure, "%s", address.sun_path);
    close(fd);
    return -1;
}

/* A UNIX socket is connected at once or not at all. */
static int finish_connect(int fd, unsigned port, struct failure *failure)
{
    (void)fd;
    (void)port;
    (void)failure;
    return 0;
}

static void mark(const struct control *control, enum doorbell_mark number)
{
    const unsigned char payload[sizeof(struct protocol_mark)] = {(unsigned char)number};

    if (control->fd >= 0)
        control_send(control, PROTOCOL_MARK, payload, sizeof(payload));
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
