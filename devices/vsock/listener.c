/* SPDX-License-Identifier: Apache-2.0 */
/* The listener through which host processes reach the guest. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vsock/vsock_private.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"

#define LISTENER_BACKLOG 16
#define GREETING         "CONNECT "
#define FIRST_HOST_PORT  0x40000000U /* of connections that the host initiates */

/* Returns whether there may be more to accept. */
static bool accept_one(struct vsock *vsock)
{
    AUTO_CLOSE int fd = accept4(vsock->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct vsock_connection *connection;

    if (fd < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return errno != EAGAIN;
        log_limited(&vsock->warnings, "vsock: cannot accept: %s", strerror(errno));
        vsock->device.host.pause_fd(vsock->device.host.opaque, vsock->listener_fd);
        return false;
    }
    connection = vsock_allocate(vsock, VSOCK_GREETING, fd);
    if (connection) {
        steal_fd(&fd);
        vsock_connection_update_watch(connection);
    }
    return true;
}

static void handle_listener(void *opaque, uint32_t events)
{
    struct vsock *vsock = opaque;

    (void)events;
    virtio_device_lock(&vsock->device);
    for (unsigned turn = 0; vsock->listener_watched && turn < LISTENER_BACKLOG; turn++) {
        if (!accept_one(vsock))
            break;
    }
    virtio_device_unlock(&vsock->device);
}

void vsock_listener_watch(struct vsock *vsock, bool on)
{
    const struct device_host *host = &vsock->device.host;

    if (vsock->listener_watched == on || vsock->listener_fd < 0)
        return;
    vsock->listener_watched = on && host->watch_fd(host->opaque, vsock->listener_fd, EPOLLIN,
                                                   handle_listener, vsock) == 0;
    if (!on)
        host->watch_fd(host->opaque, vsock->listener_fd, 0, NULL, NULL);
}

static bool port_in_use(const struct vsock *vsock, uint32_t host_port)
{
    for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
        const struct vsock_connection *connection = &vsock->connections[i];

        if (connection->state != VSOCK_FREE && connection->host_port == host_port)
            return true;
    }
    return false;
}

static uint32_t allocate_port(struct vsock *vsock)
{
    do {
        if (vsock->next_host_port < FIRST_HOST_PORT || vsock->next_host_port == UINT32_MAX)
            vsock->next_host_port = FIRST_HOST_PORT;
        vsock->next_host_port++;
    } while (port_in_use(vsock, vsock->next_host_port));
    return vsock->next_host_port;
}

/* Returns whether `line` requests a port. */
static bool parse_greeting(const char *line, uint32_t *port)
{
    uint64_t number = 0;

    if (strncmp(line, GREETING, strlen(GREETING)) != 0 ||
        parse_u64(line + strlen(GREETING), "port", 0, UINT32_MAX - 1, &number, NULL) < 0)
        return false;
    *port = (uint32_t)number;
    return true;
}

void vsock_listener_read_greeting(struct vsock_connection *connection)
{
    struct vsock *vsock = connection->vsock;

    /* Byte by byte: the bytes after the line are for the guest. */
    while (connection->greeting_size < sizeof(connection->greeting)) {
        char *at = connection->greeting + connection->greeting_size;
        ssize_t got = recv(connection->fd, at, 1, MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            break;
        connection->greeting_size++;
        if (*at != '\n')
            continue;
        *at = '\0';
        if (!parse_greeting(connection->greeting, &connection->guest_port))
            break;
        connection->host_port = allocate_port(vsock);
        connection->state = VSOCK_REQUESTED;
        connection->pending = VSOCK_PENDING_REQUEST;
        vsock_enqueue(connection);
        return;
    }
    vsock_connection_release(connection);
}
