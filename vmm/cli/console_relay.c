/* SPDX-License-Identifier: Apache-2.0 */
/* Copies bytes from one descriptor to another; see console_relay.h. */
#include "vmm/cli/console_relay.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_transient(int error)
{
    return error == EINTR || error == EAGAIN;
}

/* EIO means that the terminal is gone. */
static bool is_terminal_gone(int fd, int error)
{
    struct stat status;

    return error == EIO && fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

struct pollfd relay_poll(const struct relay *relay)
{
    if (relay->ended)
        return (struct pollfd){.fd = -1};
    if (relay->used > 0)
        return (struct pollfd){.fd = relay->to, .events = POLLOUT};
    return (struct pollfd){.fd = relay->from, .events = POLLIN};
}

static size_t relay_read(struct relay *relay)
{
    ssize_t count = read(relay->from, relay->buffer, sizeof(relay->buffer));

    if (count > 0) {
        relay->start = 0;
        relay->used = (size_t)count;
        return relay->used;
    }
    if (count == 0) {
        relay->ended = true;
    } else if (!is_transient(errno)) {
        int error = errno;

        relay->read_error = is_terminal_gone(relay->from, error) ? 0 : error;
        relay->ended = true;
    }
    return 0;
}

size_t relay_step(struct relay *relay)
{
    ssize_t count;

    if (relay->ended)
        return 0;
    if (relay->used == 0)
        return relay_read(relay);
    count = write(relay->to, relay->buffer + relay->start, relay->used);
    if (count >= 0) {
        relay->start += (size_t)count;
        relay->used -= (size_t)count;
    } else if (!is_transient(errno)) {
        relay->write_error = errno;
        relay->used = 0;
        relay->ended = true;
    }
    return 0;
}
