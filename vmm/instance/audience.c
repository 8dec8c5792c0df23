/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the clients of a monitor; see audience.h. */
#include "vmm/instance/audience.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

void audience_init(struct audience *audience, struct event_loop *loop, int listener_fd)
{
    *audience = (struct audience){.loop = loop, .listener_fd = listener_fd};
    for (unsigned i = 0; i < AUDIENCE_CLIENTS_MAX; i++)
        audience->clients[i] = (struct audience_client){.audience = audience, .fd = -1};
}

static void client_drop(struct audience_client *client)
{
    event_loop_watch(client->audience->loop, client->fd, 0, NULL, NULL);
    close(client->fd);
    client->fd = -1;
    client->audience->client_count--;
}

/* A client that cannot be told any more. The loop hears of its end, as of one that has gone. */
static void client_give_up(const struct audience_client *client)
{
    shutdown(client->fd, SHUT_RDWR);
}

void audience_release(struct audience *audience)
{
    for (unsigned i = 0; i < AUDIENCE_CLIENTS_MAX; i++) {
        if (audience->clients[i].fd >= 0)
            client_drop(&audience->clients[i]);
    }
    string_list_release(&audience->history);
}

void audience_tell(struct audience *audience, const struct control_event *event)
{
    AUTO_FREE char *json = NULL;

    if (audience->history.count == AUDIENCE_HISTORY_MAX && event->type != CONTROL_EVENT_END)
        return;
    if (control_event_encode(event, &json, NULL) < 0 ||
        string_list_add(&audience->history, json) < 0)
        return; /* out of memory; the end of the process will tell */
    for (unsigned i = 0; i < AUDIENCE_CLIENTS_MAX; i++) {
        struct audience_client *client = &audience->clients[i];

        if (client->fd >= 0 && send(client->fd, json, strlen(json), MSG_NOSIGNAL) < 0)
            client_give_up(client);
    }
}

/* All there was so far, in one system call. */
static void send_history(struct audience_client *client)
{
    const struct string_list *history = &client->audience->history;
    struct iovec texts[AUDIENCE_HISTORY_MAX + 1];
    struct mmsghdr messages[AUDIENCE_HISTORY_MAX + 1];
    unsigned count = (unsigned)history->count;

    memset(messages, 0, count * sizeof(messages[0]));
    for (unsigned i = 0; i < count; i++) {
        texts[i] = (struct iovec){history->items[i], strlen(history->items[i])};
        messages[i].msg_hdr.msg_iov = &texts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (count > 0 && sendmmsg(client->fd, messages, count, MSG_NOSIGNAL) < (int)count)
        client_give_up(client);
}

static void handle_client(void *opaque, uint32_t events)
{
    struct audience_client *client = opaque;
    struct audience *audience = client->audience;
    struct control_command command;
    int rc = control_receive_command(client->fd, &command, NULL);

    (void)events;
    if (rc > 0)
        audience->command(audience->opaque, &command);
    else if (rc != -EAGAIN)
        client_drop(client);
    if (audience->client_count == 0)
        audience->last_gone(audience->opaque);
}

static struct audience_client *free_client(struct audience *audience)
{
    for (unsigned i = 0; i < AUDIENCE_CLIENTS_MAX; i++) {
        if (audience->clients[i].fd < 0)
            return &audience->clients[i];
    }
    return NULL;
}

/* Accepts one client, if one waits. */
static void accept_client(void *opaque, uint32_t events)
{
    struct audience *audience = opaque;
    struct audience_client *client = free_client(audience);
    int fd = accept4(audience->listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            event_loop_pause(audience->loop, audience->listener_fd);
        return;
    }
    if (!client || event_loop_watch(audience->loop, fd, EPOLLIN, handle_client, client) < 0) {
        close(fd);
        return;
    }
    event_loop_make_urgent(audience->loop, fd);
    client->fd = fd;
    audience->client_count++;
    send_history(client);
}

bool audience_greet(struct audience *audience, int wait_ms)
{
    struct pollfd listener = {.fd = audience->listener_fd, .events = POLLIN};

    fcntl(audience->listener_fd, F_SETFL, O_RDWR | O_NONBLOCK);
    accept_client(audience, EPOLLIN);
    if (audience->client_count == 0 && poll(&listener, 1, wait_ms) > 0)
        accept_client(audience, EPOLLIN);
    return audience->client_count > 0;
}

int audience_open(struct audience *audience, struct error *err)
{
    int rc =
        event_loop_watch(audience->loop, audience->listener_fd, EPOLLIN, accept_client, audience);

    return rc < 0 ? error_set_errno(err, -rc, "control socket") : 0;
}
