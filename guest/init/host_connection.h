/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on the control connection; the format is in guest/protocol.h. */
#ifndef MICROVM_GUEST_INIT_HOST_CONNECTION_H
#define MICROVM_GUEST_INIT_HOST_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/protocol.h"

struct control {
    int fd;        /* non-blocking, owned by whoever made it; -1 = not connected */
    bool greeted;  /* our HELLO has been sent */
    bool accepted; /* the client's has come */
    size_t used;
    unsigned char buffer[sizeof(struct protocol_header) + PROTOCOL_PAYLOAD_MAX];
};

struct message {
    unsigned type;
    unsigned process;
    size_t size;
    const unsigned char *payload; /* within the buffer, until the next call */
};

/* Results of control_receive(). */
enum {
    CONTROL_GONE = -1,    /* the client is, or what it says is no message */
    CONTROL_FOREIGN = -2, /* the client speaks another version */
    CONTROL_NOTHING = 0,
    CONTROL_MESSAGE = 1,
};

/*
 * Sends one message of at most PROTOCOL_REPORT_MAX bytes, waiting for room when there is none;
 * HELLO goes before the first. A client that is gone is not an error here: control_receive()
 * reports it.
 */
void control_send(struct control *control, enum protocol_type type, unsigned process,
                  const void *payload, size_t size);

/* Takes what has arrived: CONTROL_MESSAGE with a whole one in *message, CONTROL_NOTHING when there
 * is none yet, or an error. HELLO is looked at here. */
int control_receive(struct control *control, struct message *message);

/* The same, but waits for a message. */
int control_wait(struct control *control, struct message *message);

#endif
