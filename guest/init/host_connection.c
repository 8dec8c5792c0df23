/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on the control connection. */
#include "guest/init/host_connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_SIZE sizeof(struct protocol_header)

static unsigned load_16(const unsigned char *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static void store_16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

void control_send(const struct control *control, enum protocol_type type, const void *payload,
                  size_t size)
{
    unsigned char frame[HEADER_SIZE + PROTOCOL_PAYLOAD_MAX];
    size_t total = HEADER_SIZE + size;
    size_t sent = 0;

    store_16(frame, type);
    store_16(frame + 2, size);
    if (size > 0)
        memcpy(frame + HEADER_SIZE, payload, size);
    while (sent < total) {
        struct pollfd poll_fd = {.fd = control->fd, .events = POLLOUT};
        ssize_t count = send(control->fd, frame + sent, total - sent, MSG_NOSIGNAL);

        if (count >= 0)
            sent += (size_t)count;
        else if (errno == EAGAIN)
            poll(&poll_fd, 1, -1);
        else if (errno != EINTR) {
            shutdown(control->fd, SHUT_RDWR); /* a host that waits for what is lost must hear so */
            return;
        }
    }
}

/* Reads until the buffer holds `wanted` bytes. Returns 1 then, 0 for not yet, -1 for never. */
static int fill(struct control *control, size_t wanted)
{
    while (control->used < wanted) {
        ssize_t count =
            recv(control->fd, control->buffer + control->used, wanted - control->used, 0);

        if (count > 0)
            control->used += (size_t)count;
        else if (count < 0 && errno == EAGAIN)
            return 0;
        else if (count == 0 || errno != EINTR)
            return -1;
    }
    return 1;
}

int control_receive(struct control *control, struct control_frame *frame)
{
    int ready = fill(control, HEADER_SIZE);

    if (ready != 1)
        return ready;
    frame->type = load_16(control->buffer);
    frame->size = load_16(control->buffer + 2);
    frame->payload = control->buffer + HEADER_SIZE;
    if (frame->size > PROTOCOL_PAYLOAD_MAX)
        return -1;
    ready = fill(control, HEADER_SIZE + frame->size);
    if (ready == 1)
        control->used = 0;
    return ready;
}
