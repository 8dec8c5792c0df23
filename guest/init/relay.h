/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries one byte stream in one direction, from a pipe or terminal to a socket or back,
 * with one fixed buffer: what the reader does not take is not read, so that memory stays bounded
 * and the writer is slowed down. End of file goes through as end of file, and a reader that went
 * away is seen by the writer as a closed pipe.
 */
#ifndef MICROVM_GUEST_INIT_RELAY_H
#define MICROVM_GUEST_INIT_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define RELAY_BUFFER_SIZE 65536

struct relay {
    int from; /* non-blocking, owned; -1 = at its end */
    int to;   /* non-blocking, owned; -1 = at its end */
    size_t start, end;
    int error; /* why not all could be carried, 0 = it was, or its receiver has gone */
    unsigned char buffer[RELAY_BUFFER_SIZE];
};

/* Takes both descriptors. */
void relay_open(struct relay *relay, int from, int to);

/* True while there may be something to carry. */
bool relay_is_open(const struct relay *relay);

/* What to poll for next; .fd is -1 when there is nothing to wait for. */
struct pollfd relay_poll(const struct relay *relay);

/* Carries what can be carried without waiting. */
void relay_step(struct relay *relay);

/* Drops both ends. */
void relay_close(struct relay *relay);

#endif
