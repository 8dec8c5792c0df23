/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients of a monitor: sends them events, receives their commands, and notices when the last
 * one disconnects. All on the I/O loop.
 *
 * All messages are kept for clients that connect later. So the monitor never waits for a client,
 * and a late client misses nothing.
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
    160 /* messages that fit into a socket's buffer; further ones are dropped */

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

/* Sends an event to all clients. A client that does not read is disconnected. */
void clients_send(struct clients *clients, const struct control_event *event);

/*
 * Accepts the client that started this process; it has connected already, so this takes almost no
 * time, and at most `wait_ms`. Returns whether there is a client.
 */
bool clients_accept_first(struct clients *clients, int wait_ms);

/* From here on further clients may connect. */
int clients_open(struct clients *clients, struct error *err);

#endif
