/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the clients of a monitor: what they are told, what they command, and when the last has
 * gone. All on the I/O loop.
 *
 * What was told is kept, as the text that was sent, for clients that come later; so nothing waits
 * for a client, and nothing is lost by one that comes a moment too late.
 */
#ifndef MICROVM_INSTANCE_AUDIENCE_H
#define MICROVM_INSTANCE_AUDIENCE_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/instance/control.h"
#include "vmm/machine/event_loop.h"

#define AUDIENCE_CLIENTS_MAX 8
#define AUDIENCE_HISTORY_MAX                                                                       \
    160 /* messages that a socket takes at once; further ones are not told */

struct audience;

struct audience_client {
    struct audience *audience;
    int fd; /* -1 = free */
};

struct audience {
    struct event_loop *loop;
    int listener_fd; /* not owned */
    struct audience_client clients[AUDIENCE_CLIENTS_MAX];
    unsigned client_count;
    struct string_list history;
    void *opaque;
    void (*command)(void *opaque, const struct control_command *command);
    void (*last_gone)(void *opaque);
};

void audience_init(struct audience *audience, struct event_loop *loop, int listener_fd);
void audience_release(struct audience *audience); /* closes connections */

/* Tells all. A client that does not read loses its connection. */
void audience_tell(struct audience *audience, const struct control_event *event);

/*
 * Waits for the client that started this process (it has connected before, so there is next to no
 * wait), at most `wait_ms`. Returns whether there is a client.
 */
bool audience_greet(struct audience *audience, int wait_ms);

/* From here on further clients may come. */
int audience_open(struct audience *audience, struct error *err);

#endif
