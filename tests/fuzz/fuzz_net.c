/* SPDX-License-Identifier: Apache-2.0 */
/* The network device on either kind of socket, under any driver and any neighbour. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net.h"
#include "tests/fuzz/script.h"

#define FRAME_MAX 4000

struct neighbour {
    struct fake_machine machine;
    bool stream;
    int fd;
};

/* A frame as it should be, but for what it says. */
static void send_frame(struct neighbour *neighbour, struct script *script)
{
    uint8_t data[NET_HEADER_SIZE + FRAME_MAX] = {0};
    uint32_t size = script_u16(script) % FRAME_MAX;
    uint32_t field = htonl(size);

    if (neighbour->stream) {
        memcpy(data, &field, sizeof(field));
        script_bytes(script, data + sizeof(field), size % 64);
        send(neighbour->fd, data, sizeof(field) + size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        script_bytes(script, data, 80);
        send(neighbour->fd, data, NET_HEADER_SIZE + size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void talk(void *opaque, struct script *script)
{
    struct neighbour *neighbour = opaque;
    char bytes[5000];
    size_t size;

    switch (script_u8(script) % 8) {
    case 0:
        size = script_u8(script);
        script_bytes(script, bytes, size);
        send(neighbour->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
        shutdown(neighbour->fd, script_u8(script) % 3);
        break;
    case 2:
    case 3:
        recv(neighbour->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        break;
    default:
        send_frame(neighbour, script);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct neighbour neighbour;
    const struct net_options options = {.mac = {2}, .mtu = 1500};
    struct virtio_device *device = NULL;
    struct net_backend *backend = NULL;
    int ends[2];
    int rc;

    signal(SIGPIPE, SIG_IGN);
    neighbour.stream = size > 0 && data[0] & 1;
    if (socketpair(AF_UNIX,
                   (neighbour.stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK | SOCK_CLOEXEC,
                   0, ends) < 0)
        abort();
    neighbour.fd = ends[0];
    rc = neighbour.stream ? net_backend_stream(ends[1], &backend, NULL)
                          : net_backend_datagram(ends[1], NET_HEADER_SIZE, &backend, NULL);
    if (rc < 0 || net_create(&options, backend, &device, NULL) < 0)
        abort();
    script_play(data + (size > 0), size - (size > 0), &neighbour.machine, device, talk, &neighbour);
    close(ends[0]);
    return 0;
}
