/* SPDX-License-Identifier: Apache-2.0 */
/* The console on a socket, under any driver and any user. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/console/console.h"
#include "tests/fuzz/script.h"

struct user {
    struct fake_machine machine;
    int fd;
};

static void look(void *opaque, const void *data, size_t size)
{
    volatile uint8_t sink = 0;

    (void)opaque;
    for (size_t i = 0; i < size; i++)
        sink ^= ((const uint8_t *)data)[i]; /* each byte can be read */
}

static void type_or_read(void *opaque, struct script *script)
{
    struct user *user = opaque;
    char bytes[5000] = "";

    switch (script_u8(script) % 5) {
    case 0:
        send(user->fd, bytes, script_u16(script) % sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
    case 2:
        recv(user->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        break;
    case 3:
        console_set_size(user->machine.device, script_u16(script), script_u16(script));
        break;
    default:
        shutdown(user->fd, script_u8(script) % 3);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct user user;
    struct console_backend backend = {.tee = look};
    struct virtio_device *device = NULL;
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    user.fd = ends[0];
    backend.input_fd = backend.output_fd = ends[1];
    if (console_create(&backend, &device, NULL) < 0)
        abort();
    script_play(data, size, &user.machine, device, type_or_read, &user);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
