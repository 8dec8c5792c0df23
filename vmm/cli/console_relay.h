/* SPDX-License-Identifier: Apache-2.0 */
/* Copies bytes from one descriptor to another through a small buffer, driven by poll(2). */
#ifndef MICROVM_CLI_CONSOLE_RELAY_H
#define MICROVM_CLI_CONSOLE_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* PIPE_BUF: after poll(2) a write of so many bytes to a pipe does not block. */
#define RELAY_BUFFER 4096

/* Waits for one of its two descriptors at a time, so that its memory is bounded. */
struct relay {
    int from;
    int to;
    bool ended;      /* end of file, and all before it is written; or: */
    int read_error;  /* why `from` cannot be read any more, 0 = end of file */
    int write_error; /* why `to` cannot be written; EPIPE: the reader is gone */
    size_t start;
    size_t used;
    char buffer[RELAY_BUFFER];
};

/* What to wait for; fd is -1 when the relay has ended. */
struct pollfd relay_poll(const struct relay *relay);

/*
 * After poll() has reported the descriptor: reads once, or writes once. Returns the bytes read, 0
 * when none were. Those bytes are at the start of `buffer` and may be looked at until the next
 * step; lowering `used` to cut them off is allowed.
 */
size_t relay_step(struct relay *relay);

#endif
