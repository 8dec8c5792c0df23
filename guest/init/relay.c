/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: carries one byte stream in one direction; see relay.h. */
#include "guest/init/relay.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL_WRITE 4096 /* bytes, for which there is memory as long as a guest lives */

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

/* A packet of a vsock is one piece of kernel memory, as large as the write up to 64 KiB. A guest
 * whose memory is in pieces may have none of that size; the end of the stream that is not. */
static ssize_t write_some(int fd, const unsigned char *data, size_t size)
{
    ssize_t count = write(fd, data, size);

    if (count < 0 && errno == ENOMEM && size > SMALL_WRITE)
        count = write(fd, data, SMALL_WRITE);
    return count;
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
    count = write_some(relay->to, relay->buffer + relay->start, relay->end - relay->start);
    if (count >= 0)
        relay->start += (size_t)count;
    else if (errno != EAGAIN && errno != EINTR)
        relay_close(relay);
}
