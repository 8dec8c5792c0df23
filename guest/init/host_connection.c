/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on the control connection. */
#include "guest/init/host_connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_SIZE sizeof(struct protocol_header)
#define HELLO_SIZE  sizeof(struct protocol_hello)

static unsigned load_16(const unsigned char *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static uint32_t load_32(const unsigned char *at)
{
    return load_16(at) | (uint32_t)load_16(at + 2) << 16;
}

static void store_16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static void store_32(unsigned char *at, uint32_t value)
{
    store_16(at, value & 0xffff);
    store_16(at + 2, value >> 16);
}

static void store_header(unsigned char *at, enum protocol_type type, unsigned process, size_t size)
{
    store_16(at, type);
    store_16(at + 2, process);
    store_32(at + 4, (uint32_t)size);
}

static void send_all(const struct control *control, const unsigned char *data, size_t size)
{
    size_t sent = 0;

    while (sent < size) {
        struct pollfd poll_fd = {.fd = control->fd, .events = POLLOUT};
        ssize_t count = send(control->fd, data + sent, size - sent, MSG_NOSIGNAL);

        if (count >= 0)
            sent += (size_t)count;
        else if (errno == EAGAIN)
            poll(&poll_fd, 1, -1);
        else if (errno != EINTR) {
            shutdown(control->fd,
                     SHUT_RDWR); /* a client that waits for what is lost must hear so */
            return;
        }
    }
}

void control_send(struct control *control, enum protocol_type type, unsigned process,
                  const void *payload, size_t size)
{
    unsigned char buffer[2 * HEADER_SIZE + HELLO_SIZE + PROTOCOL_REPORT_MAX];
    unsigned char *at = buffer;

    if (!control->greeted) {
        store_header(at, PROTOCOL_HELLO, 0, HELLO_SIZE);
        store_32(at + HEADER_SIZE, PROTOCOL_MAGIC);
        store_32(at + HEADER_SIZE + 4, PROTOCOL_VERSION);
        store_32(at + HEADER_SIZE + 8, PROTOCOL_FEATURE_SYSCALLS);
        at += HEADER_SIZE + HELLO_SIZE;
        control->greeted = true;
    }
    store_header(at, type, process, size);
    if (size > 0)
        memcpy(at + HEADER_SIZE, payload, size);
    send_all(control, buffer, (size_t)(at - buffer) + HEADER_SIZE + size);
}

/* Reads until the buffer holds `wanted` bytes. */
static int fill(struct control *control, size_t wanted)
{
    while (control->used < wanted) {
        ssize_t count =
            recv(control->fd, control->buffer + control->used, wanted - control->used, 0);

        if (count > 0)
            control->used += (size_t)count;
        else if (count < 0 && errno == EAGAIN)
            return CONTROL_NOTHING;
        else if (count == 0 || errno != EINTR)
            return CONTROL_GONE;
    }
    return CONTROL_MESSAGE;
}

/* Whether `message`, the first one, is the HELLO of our version. */
static bool is_our_hello(const struct message *message)
{
    return message->type == PROTOCOL_HELLO && message->size >= HELLO_SIZE &&
           load_32(message->payload) == PROTOCOL_MAGIC &&
           load_32(message->payload + 4) == PROTOCOL_VERSION;
}

static int receive_any(struct control *control, struct message *message)
{
    int result = fill(control, HEADER_SIZE);

    if (result != CONTROL_MESSAGE)
        return result;
    message->type = load_16(control->buffer);
    message->process = load_16(control->buffer + 2);
    message->size = load_32(control->buffer + 4);
    message->payload = control->buffer + HEADER_SIZE;
    if (message->size > PROTOCOL_PAYLOAD_MAX)
        return control->accepted ? CONTROL_GONE : CONTROL_FOREIGN;
    result = fill(control, HEADER_SIZE + message->size);
    if (result == CONTROL_MESSAGE)
        control->used = 0;
    return result;
}

int control_receive(struct control *control, struct message *message)
{
    int result = receive_any(control, message);

    if (result != CONTROL_MESSAGE || control->accepted)
        return result;
    if (!is_our_hello(message))
        return CONTROL_FOREIGN;
    control->accepted = true;
    return receive_any(control, message);
}

int control_wait(struct control *control, struct message *message)
{
    struct pollfd poll_fd = {.fd = control->fd, .events = POLLIN};
    int result;

    while ((result = control_receive(control, message)) == CONTROL_NOTHING)
        poll(&poll_fd, 1, -1);
    return result;
}
