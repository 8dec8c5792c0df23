/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: carries one byte stream in one direction; see relay.h. */
#include "guest/init/relay.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void relay_open(struct relay *relay, int from, int to)
{
    relay->from = from;
    relay->to = to;
    relay->start = 0;
    relay->end = 0;
}

bool relay_is_open(const struct relay *relay)
{
    return relay->to >= 0;
}

struct pollfd relay_poll(const struct relay *relay)
{
    if (relay->start < relay->end)
        return (struct pollfd){.fd = relay->to, .events = POLLOUT};
    return (struct pollfd){.fd = relay->from, .events = POLLIN};
}

void relay_close(struct relay *relay)
{
    if (relay->from >= 0)
        close(relay->from);
    if (relay->to >= 0) {
        shutdown(relay->to, SHUT_WR); /* only of use, and only possible, on a socket */
        close(relay->to);
    }
    relay->from = -1;
    relay->to = -1;
}

void relay_step(struct relay *relay)
{
    ssize_t count;

    if (!relay_is_open(relay))
        return;
    if (relay->start == relay->end) {
        count = read(relay->from, relay->buffer, sizeof(relay->buffer));
        if (count <= 0) {
            /* EIO: the last process has closed the terminal. */
            if (count == 0 || (errno != EAGAIN && errno != EINTR))
                relay_close(relay);
            return;
        }
        relay->start = 0;
        relay->end = (size_t)count;
    }
    count = write(relay->to, relay->buffer + relay->start, relay->end - relay->start);
    if (count >= 0)
        relay->start += (size_t)count;
    else if (errno != EAGAIN && errno != EINTR)
        relay_close(relay);
}
