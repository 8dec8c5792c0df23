/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of a monitor: what they are told, what they command, and when the last has
 * gone. All on the I/O loop.
 *
 * What was told is kept, as the text that was sent, for clients that come later; so nothing waits
 * for a client, and nothing is lost by one that comes a moment too late.
 */
#ifndef MICROVM_MONITOR_CLIENTS_H
#define MICROVM_MONITOR_CLIENTS_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/machine/event_loop.h"
#include "vmm/monitor/control_protocol.h"

#define CLIENTS_MAX 8
#define CLIENTS_HISTORY_MAX                                                                        \
    160 /* messages that a socket takes at once; further ones are not told */

struct clients;

struct clients_client {
    struct clients *clients;
    int fd; /* -1 = free */
};

struct clients {
    struct event_loop *loop;
    int listener_fd; /* not owned */
    struct clients_client clients[CLIENTS_MAX];
    unsigned client_count;
    struct string_list history;
    void *opaque;
    void (*handle_command)(void *opaque, const struct control_command *command);
    void (*on_last_disconnect)(void *opaque);
};

void clients_init(struct clients *clients, struct event_loop *loop, int listener_fd);
void clients_release(struct clients *clients); /* closes connections */

/* Tells all. A client that does not read loses its connection. */
void clients_send(struct clients *clients, const struct control_event *event);

/*
 * Waits for the client that started this process (it has connected before, so there is next to no
 * wait), at most `wait_ms`. Returns whether there is a client.
 */
bool clients_accept_first(struct clients *clients, int wait_ms);

/* From here on further clients may come. */
int clients_open(struct clients *clients, struct error *err);

#endif
