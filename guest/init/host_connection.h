/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on the control connection; the format is in guest/protocol.h. */
#ifndef MICROVM_GUEST_INIT_HOST_CONNECTION_H
#define MICROVM_GUEST_INIT_HOST_CONNECTION_H

#include <stddef.h>

#include "guest/protocol.h"

struct control {
    int fd; /* non-blocking, owned by whoever made it; -1 = not connected */
    size_t used;
    unsigned char buffer[sizeof(struct protocol_header) + PROTOCOL_PAYLOAD_MAX];
};

struct control_frame {
    unsigned type;
    size_t size;
    const unsigned char *payload; /* within the buffer, until the next call */
};

/* Sends one frame, waiting for room when there is none. A host that is gone is not an error here:
 * control_receive() reports it. */
void control_send(const struct control *control, enum protocol_type type, const void *payload,
                  size_t size);

/* Takes what has arrived. Returns 1 with a whole frame in *frame, 0 when there is none yet, -1 when
 * the host is gone or does not speak the protocol. */
int control_receive(struct control *control, struct control_frame *frame);

#endif
