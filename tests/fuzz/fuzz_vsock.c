/* SPDX-License-Identifier: Apache-2.0 */
/* virtio sockets under any guest, between real UNIX sockets that any host process may use.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/vsock/packet.h"
#include "devices/vsock/vsock.h"
#include "tests/fuzz/script.h"
#include "tests/unit/devices/fake_vsock.h"

#define GUEST_CID    3
#define HOST_PORT    1
#define HOST_SOCKETS 8

/* One directory and one listener for all inputs. */
static char directory[] = "/tmp/microvm-fuzz-XXXXXX";
static int listener = -1;

struct world {
    struct fake_machine machine;
    int sockets[HOST_SOCKETS];
};

static struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
    return address;
}

static void clean_up(void)
{
    unlink(address_of("vsock_1").sun_path);
    unlink(address_of("vsock").sun_path);
    rmdir(directory);
}

static void set_up(void)
{
    struct sockaddr_un address;

    if (listener >= 0)
        return;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!mkdtemp(directory) || listener < 0)
        abort();
    address = address_of("vsock_1");
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 64) < 0)
        abort();
    atexit(clean_up);
}

/* A packet with few ports, so that it often hits a connection. */
static void send_packet(struct fake_machine *machine, struct script *script)
{
    uint8_t flavour = script_u8(script);
    struct vsock_packet packet = {
        .src_cid = flavour == 255 ? script_u64(script) : GUEST_CID,
        .dst_cid = flavour == 254 ? script_u64(script) : VSOCK_HOST_CID,
        .src_port = script_u8(script) % 4,
        .dst_port = flavour % 8 ? HOST_PORT : 0x40000000U + script_u8(script) % 16,
        .type = flavour == 253 ? script_u16(script) : VIRTIO_VSOCK_TYPE_STREAM,
        .op = script_u8(script) % 9,
        .flags = script_u8(script) % 4,
        .buf_alloc = script_u32(script),
        .fwd_cnt = script_u16(script),
        .len = script_u16(script),
    };
    struct virtio_vsock_hdr header = vsock_packet_encode(&packet);
    uint64_t at = FAKE_HIGH_BASE + script_u8(script) * 16U;
    const struct fake_buffer buffers[] = {
        {at, sizeof(header), false},
        {script_address(script), flavour == 252 ? script_u16(script) : packet.len, false}};

    memcpy(fake_at(machine, at), &header, sizeof(header));
    fake_add(machine, 1, buffers, packet.len ? 2 : 1);
    fake_notify(machine, 1);
}

static void offer_buffers(struct fake_machine *machine, struct script *script)
{
    unsigned count = script_u8(script) % 8;

    for (unsigned i = 0; i < count; i++) {
        struct fake_buffer buffer = {FAKE_HIGH_BASE + 32768 + i * 4096, 4096, true};

        fake_add(machine, 0, &buffer, 1);
    }
    fake_notify(machine, 0);
}

static void dial(int *fd, struct script *script)
{
    static const char *const greetings[] = {"CONNECT 1\n", "CONNECT 0\nmore", "CONN", "nonsense\n"};
    const char *greeting = greetings[script_u8(script) % 4];
    struct sockaddr_un address = address_of("vsock");

    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        send(*fd, greeting, strlen(greeting), MSG_NOSIGNAL);
}

static void use_socket(int *fd, struct script *script)
{
    static char bytes[60000];

    switch (script_u8(script) % 6) {
    case 0:
        send(*fd, bytes, script_u16(script) % sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
    case 2:
        recv(*fd, bytes, script_u16(script) % sizeof(bytes), MSG_DONTWAIT);
        break;
    case 3:
        shutdown(*fd, script_u8(script) % 3);
        break;
    default:
        close(*fd);
        *fd = -1;
        break;
    }
}

static void step(void *opaque, struct script *script)
{
    struct world *world = opaque;
    int *fd = &world->sockets[script_u8(script) % HOST_SOCKETS];

    switch (script_u8(script) % 6) {
    case 0:
        offer_buffers(&world->machine, script);
        break;
    case 1:
        if (*fd >= 0)
            use_socket(fd, script);
        else
            *fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        break;
    case 2:
        if (*fd < 0)
            dial(fd, script);
        break;
    default:
        send_packet(&world->machine, script);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct vsock_backend backend;
    struct virtio_device *device = NULL;
    int waiting;

    set_up();
    for (unsigned i = 0; i < HOST_SOCKETS; i++)
        world.sockets[i] = -1;
    fake_vsock_forget(directory);
    backend = fake_vsock_backend(directory, GUEST_CID);
    if (vsock_create(&backend, &device, NULL) < 0)
        abort();
    script_play(data, size, &world.machine, device, step, &world);
    for (unsigned i = 0; i < HOST_SOCKETS; i++) {
        if (world.sockets[i] >= 0)
            close(world.sockets[i]);
    }
    while ((waiting = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(waiting);
    return 0;
}
