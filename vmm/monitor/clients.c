/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of a monitor; see clients.h. */
#include "vmm/monitor/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/unix_socket.h"

void clients_init(struct clients *clients, struct event_loop *loop, int listener_fd)
{
    *clients = (struct clients){.loop = loop, .listener_fd = listener_fd};
    fcntl(listener_fd, F_SETFL, O_RDWR | O_NONBLOCK);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        clients->clients[i] = (struct clients_client){.clients = clients, .fd = -1};
}

static void client_drop(struct clients_client *client)
{
    event_loop_watch(client->clients->loop, client->fd, 0, NULL, NULL);
    close(client->fd);
    client->fd = -1;
    client->clients->client_count--;
}

/* Ends the connection of a client that does not read. The loop then handles it like a client that
 * has disconnected. */
static void client_disconnect(const struct clients_client *client)
{
    shutdown(client->fd, SHUT_RDWR);
}

void clients_release(struct clients *clients)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (clients->clients[i].fd >= 0)
            client_drop(&clients->clients[i]);
    }
    string_list_release(&clients->history);
}

void clients_send(struct clients *clients, const struct control_event *event)
{
    AUTO_FREE char *json = NULL;

    if (clients->history.count == CLIENTS_HISTORY_MAX && event->type != CONTROL_EVENT_END)
        return;
    if (control_event_encode(event, &json, NULL) < 0 ||
        string_list_add(&clients->history, json) < 0)
        return; /* out of memory; clients notice the end of the process */
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct clients_client *client = &clients->clients[i];

        if (client->fd >= 0 && send(client->fd, json, strlen(json), MSG_NOSIGNAL) < 0)
            client_disconnect(client);
    }
}

/* Sends all messages so far. Not by sendmmsg(2), which could also send descriptors: see
 * monitor_calls(). */
static void send_history(struct clients_client *client)
{
    const struct string_list *history = &client->clients->history;

    for (size_t i = 0; i < history->count; i++) {
        if (send(client->fd, history->items[i], strlen(history->items[i]), MSG_NOSIGNAL) < 0) {
            client_disconnect(client);
            return;
        }
    }
}

static void handle_client(void *opaque, uint32_t events)
{
    struct clients_client *client = opaque;
    struct clients *clients = client->clients;
    struct control_command command;
    int rc = control_receive_command(client->fd, &command, NULL);

    (void)events;
    if (rc > 0)
        clients->handle_command(clients->opaque, &command);
    else if (rc != -EAGAIN)
        client_drop(client);
    if (clients->client_count == 0)
        clients->on_last_disconnect(clients->opaque);
}

static struct clients_client *free_client(struct clients *clients)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (clients->clients[i].fd < 0)
            return &clients->clients[i];
    }
    return NULL;
}

/* Accepts one client, if one is waiting. */
static void accept_client(void *opaque, uint32_t events)
{
    struct clients *clients = opaque;
    struct clients_client *client = free_client(clients);
    int fd = unix_socket_accept(clients->listener_fd, SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        if (fd != -EAGAIN)
            event_loop_pause(clients->loop, clients->listener_fd);
        return;
    }
    if (!client || event_loop_watch(clients->loop, fd, EPOLLIN, handle_client, client) < 0) {
        close(fd);
        return;
    }
    event_loop_make_urgent(clients->loop, fd);
    client->fd = fd;
    clients->client_count++;
    send_history(client);
}

bool clients_accept_first(struct clients *clients, int wait_ms)
{
    struct pollfd listener = {.fd = clients->listener_fd, .events = POLLIN};

    accept_client(clients, EPOLLIN);
    if (clients->client_count == 0 && poll(&listener, 1, wait_ms) > 0)
        accept_client(clients, EPOLLIN);
    return clients->client_count > 0;
}

int clients_open(struct clients *clients, struct error *err)
{
    int rc = event_loop_watch(clients->loop, clients->listener_fd, EPOLLIN, accept_client, clients);

    return rc < 0 ? error_set_errno(err, -rc, "control socket") : 0;
}
