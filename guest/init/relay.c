/* SPDX-License-Identifier: Apache-2.0 */
/* Carries one byte stream in one direction; see relay.h. */
#include "guest/init/relay.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_WRITE 4096 /* bytes, for which there is memory as long as a guest lives */

void relay_open(struct relay *relay, int from, int to)
{
    relay->from = from;
    relay->to = to;
    relay->start = 0;
    relay->end = 0;
    relay->error = 0;
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

    if (count < 0 && (errno == ENOMEM || errno == ENOBUFS) && size > SMALL_WRITE)
        count = write(fd, data, SMALL_WRITE);
    return count;
}

/* Ends a relay whose last call has failed. */
static void give_up(struct relay *relay, int error, bool is_end)
{
    if (!is_end && relay->error == 0)
        relay->error = error;
    relay_close(relay);
}

/* The last process has closed the terminal. */
static bool is_terminal_gone(int fd, int error)
{
    struct stat status;

    return error == EIO && fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

static bool is_receiver_gone(int error)
{
    return error == EPIPE || error == ECONNRESET || error == EIO;
}

void relay_step(struct relay *relay)
{
    ssize_t count;
    int error;

    if (!relay_is_open(relay))
        return;
    if (relay->start == relay->end) {
        count = read(relay->from, relay->buffer, sizeof(relay->buffer));
        error = errno;
        if (count == 0)
            relay_close(relay);
        else if (count < 0 && error != EAGAIN && error != EINTR)
            give_up(relay, error, is_terminal_gone(relay->from, error));
        if (count <= 0)
            return;
        relay->start = 0;
        relay->end = (size_t)count;
    }
    count = write_some(relay->to, relay->buffer + relay->start, relay->end - relay->start);
    error = errno;
    if (count >= 0)
        relay->start += (size_t)count;
    else if (error != EAGAIN && error != EINTR)
        give_up(relay, error, is_receiver_gone(error));
}
