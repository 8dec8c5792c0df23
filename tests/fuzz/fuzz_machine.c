/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five devices of one machine at once, wired as in a machine: the input is what vCPUs do to all
 * registers, to guest memory, to the doorbell and by kicks, and what the outside does to console
 * and vsock in between. After it the I/O loop must come to rest, and the disk keep its size.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/console/console.h"
#include "devices/doorbell/doorbell.h"
#include "devices/vsock/packet.h"
#include "tests/fuzz/script.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"
#include "vmm/machine/devices.h"

#define DISK_SIZE   (64 * 512)
#define QUEUE_SIZE  16U
#define RINGS_SIZE  1024U /* of guest memory, for one queue */
#define TABLE       0U
#define AVAILABLE   512U
#define USED        576U
#define STEPS_MAX   400
#define TURNS_MAX   20000 /* of the I/O loop, until it rests */
#define PEER_PORT   1U    /* of vsock: a stream waits there */
#define PEER_NAME   "vsock-1"
#define RING_MEMORY 0x1000U /* where the queues' memory begins */
#define FREE_MEMORY 0x8000U /* buffers; the script may write anywhere */

struct world {
    uint8_t low[FAKE_REGION_SIZE], high[FAKE_REGION_SIZE];
    struct guest_memory memory;
    struct bus bus;
    struct event_loop *loop;
    struct devices devices;
    struct doorbell doorbell;
    struct machine_callbacks host;
    struct fd_table descriptors;
    int console, console_end, disk, peer;
    uint16_t available[ARCH_DEVICE_SLOTS][VIRTIO_DEVICE_QUEUES];
};

static struct world world;

int ioctl(int fd, unsigned long request, ...);

/* There is no KVM: wiring always succeeds. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return _IOC_TYPE(request) == KVMIO ? 0 : (int)syscall(SYS_ioctl, fd, request, argument);
}

static void look(void *opaque, const void *data, size_t size)
{
    volatile uint8_t sink = 0;

    (void)opaque;
    for (size_t i = 0; i < size; i++)
        sink ^= ((const uint8_t *)data)[i]; /* each byte can be read */
}

static void look_at_line(void *opaque, const char *who, const char *line)
{
    look(opaque, who, strlen(who));
    look(opaque, line, strlen(line));
}

static void look_at_count(void *opaque, const char *name, uint64_t value)
{
    (void)value;
    look(opaque, name, strlen(name));
}

static void take_mark(void *opaque, uint32_t mark)
{
    (void)opaque;
    if (mark >= 1U << 24)
        abort();
}

static void take_exit(void *opaque, uint8_t status)
{
    (void)opaque;
    (void)status;
}

static void take_panic(void *opaque)
{
    (void)opaque;
}

static uint64_t rings_of(unsigned device, unsigned queue)
{
    return RING_MEMORY + (device * VIRTIO_DEVICE_QUEUES + queue) * RINGS_SIZE;
}

static void write_word(unsigned device, uint32_t offset, uint32_t value)
{
    uint8_t data[4];

    store_le32(data, value);
    bus_write(&world.bus, world.devices.list[device].slot.base + offset, data, sizeof(data));
}

/* All of a driver's way to DRIVER_OK. */
static void set_up(unsigned device, uint32_t features)
{
    const unsigned queues = world.devices.list[device].virtio->class->queue_count;

    memset(world.low + rings_of(device, 0), 0, (size_t)queues * RINGS_SIZE);
    memset(world.available[device], 0, sizeof(world.available[device]));
    write_word(device, VIRTIO_MMIO_STATUS, 0);
    write_word(device, VIRTIO_MMIO_STATUS, 3);
    write_word(device, VIRTIO_MMIO_DRIVER_FEATURES, features);
    write_word(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    write_word(device, VIRTIO_MMIO_DRIVER_FEATURES, 1);
    write_word(device, VIRTIO_MMIO_STATUS, 11);
    for (unsigned queue = 0; queue < queues; queue++) {
        uint32_t base = (uint32_t)rings_of(device, queue);

        write_word(device, VIRTIO_MMIO_QUEUE_SEL, queue);
        write_word(device, VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE);
        write_word(device, VIRTIO_MMIO_QUEUE_DESC_LOW, base + TABLE);
        write_word(device, VIRTIO_MMIO_QUEUE_AVAIL_LOW, base + AVAILABLE);
        write_word(device, VIRTIO_MMIO_QUEUE_USED_LOW, base + USED);
        write_word(device, VIRTIO_MMIO_QUEUE_READY, 1);
    }
    write_word(device, VIRTIO_MMIO_STATUS, 15);
}

static void kick(unsigned device, unsigned queue)
{
    const uint64_t one = 1;

    if (write(world.devices.list[device].queues[queue].event_fd, &one, sizeof(one)) < 0)
        return; /* full: it is awake */
}

/* Places a descriptor in the queue's table. */
static void put_descriptor(unsigned device, unsigned queue, uint16_t index, uint64_t address,
                           uint32_t size, uint16_t flags, uint16_t next)
{
    const struct vring_desc descriptor = {htole64(address), htole32(size), htole16(flags),
                                          htole16(next)};

    memcpy(world.low + rings_of(device, queue) + TABLE + index * sizeof(descriptor), &descriptor,
           sizeof(descriptor));
}

static void offer(unsigned device, unsigned queue, uint16_t head)
{
    uint8_t *ring = world.low + rings_of(device, queue) + AVAILABLE;
    uint16_t index = world.available[device][queue]++;

    store_le16(ring + 4 + index % QUEUE_SIZE * 2U, head);
    store_le16(ring + 2, world.available[device][queue]);
}

/* What a driver of that device would send first: the header of its requests. */
static size_t make_header(unsigned device, struct script *script, uint8_t *at)
{
    const char *kind = world.devices.list[device].virtio->class->name;

    if (strcmp(kind, "block") == 0) {
        struct virtio_blk_outhdr header = {htole32(script_u8(script) % 16), 0,
                                           htole64(script_u8(script) % 80)};

        memcpy(at, &header, sizeof(header));
        return sizeof(header);
    }
    if (strcmp(kind, "vsock") == 0) {
        struct vsock_packet packet = {
            .src_cid = 3,
            .dst_cid = VSOCK_HOST_CID,
            .src_port = script_u8(script) % 4,
            .dst_port = PEER_PORT,
            .type = VIRTIO_VSOCK_TYPE_STREAM,
            .op = script_u8(script) % 9,
            .flags = script_u8(script) % 4,
            .buf_alloc = script_u16(script),
            .len = script_u8(script),
        };
        struct virtio_vsock_hdr header = vsock_packet_encode(&packet);

        memcpy(at, &header, sizeof(header));
        return sizeof(header);
    }
    return 16;
}

/* A chain of up to three buffers, the last of which may be the device's to write. */
static void add_chain(unsigned device, unsigned queue, struct script *script)
{
    uint16_t head = script_u8(script) % (QUEUE_SIZE - 2);
    uint32_t at = FREE_MEMORY + script_u8(script) * 64U;
    size_t header = make_header(device, script, world.low + at);
    unsigned count = 1 + script_u8(script) % 3;
    bool first_writable = queue == 0 && strcmp(world.devices.list[device].name, "block") != 0 &&
                          script_u8(script) % 8 > 0;

    for (unsigned i = 0; i < count; i++) {
        bool last = i + 1 == count;
        uint16_t flags = last ? 0 : VRING_DESC_F_NEXT;

        if (first_writable || (last && count > 1))
            flags |= VRING_DESC_F_WRITE;
        put_descriptor(device, queue, (uint16_t)(head + i), i ? script_address(script) : at,
                       i ? script_u16(script) % 2048 : (uint32_t)header, flags,
                       (uint16_t)(head + i + 1));
    }
    offer(device, queue, head);
}

static void access_register(unsigned device, struct script *script)
{
    uint8_t data[8];
    uint8_t how = script_u8(script);
    uint64_t address = world.devices.list[device].slot.base + script_u16(script) % 0x220;
    uint32_t size = 1U << (how >> 4) % 4;

    if (how & 1) {
        address &= ~3ULL;
        size = 4;
    }
    script_bytes(script, data, sizeof(data));
    if (how & 2)
        bus_write(&world.bus, address, data, size);
    else
        bus_read(&world.bus, address, data, size);
}

static void use_console(struct script *script)
{
    char bytes[300] = "";
    struct device *console = devices_find(&world.devices, "console");

    switch (script_u8(script) % 4) {
    case 0:
        send(world.console, bytes, script_u16(script) % sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
        recv(world.console, bytes, sizeof(bytes), MSG_DONTWAIT);
        break;
    case 2:
        console_set_size(console->virtio, script_u16(script), script_u16(script));
        break;
    default:
        devices_visit_counts(&world.devices, look_at_count, NULL);
        break;
    }
}

/* A stream for the next connection of the guest. The table has one row of that name. */
static void offer_peer(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    world.peer = ends[0];
    for (unsigned i = 0; i < world.descriptors.count; i++) {
        if (strcmp(world.descriptors.rows[i].name, PEER_NAME) == 0) {
            if (world.descriptors.rows[i].fd >= 0)
                close(world.descriptors.rows[i].fd);
            world.descriptors.rows[i].fd = ends[1];
            return;
        }
    }
    if (fd_table_add(&world.descriptors, PEER_NAME, ends[1], NULL) < 0)
        abort();
}

/* Who is on the host at the other end of what the guest connects to. */
static void use_peer(struct script *script)
{
    char bytes[300] = "";

    if (world.peer < 0)
        offer_peer();
    switch (script_u8(script) % 4) {
    case 0:
        send(world.peer, bytes, script_u16(script) % sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
        recv(world.peer, bytes, sizeof(bytes), MSG_DONTWAIT);
        break;
    case 2:
        shutdown(world.peer, script_u8(script) % 3);
        break;
    default:
        if (world.peer >= 0)
            close(world.peer);
        world.peer = -1;
        break;
    }
}

static void play_step(struct script *script)
{
    uint8_t what = script_u8(script) % 16;
    unsigned device = script_u8(script) % world.devices.count;
    unsigned queue = script_u8(script) % world.devices.list[device].virtio->class->queue_count;
    uint8_t data[64];
    size_t size;

    switch (what) {
    case 0:
    case 1:
        access_register(device, script);
        break;
    case 2:
        size = 1 + script_u8(script) % sizeof(data);
        script_bytes(script, data, size);
        guest_memory_write(&world.memory, GUEST_ADDR(script_address(script)), data, size);
        break;
    case 3:
        set_up(device, script_u8(script) % 4 ? 0x30000000U : script_u32(script));
        break;
    case 4: /* any descriptor, any flags */
        put_descriptor(device, queue, script_u8(script) % QUEUE_SIZE, script_address(script),
                       script_u16(script), script_u8(script), script_u8(script));
        break;
    case 5:
        offer(device, queue, script_u8(script));
        break;
    case 6:
        script_bytes(script, data, 4);
        doorbell_write(&world.doorbell, data, script_u8(script) % 5);
        doorbell_read(&world.doorbell, data, 1U << script_u8(script) % 4);
        break;
    case 7:
        if (script_u8(script) % 2)
            use_console(script);
        else
            use_peer(script);
        break;
    case 8:
    case 9:
    case 10:
        kick(device, queue);
        break;
    case 11:
        event_loop_turn(world.loop);
        break;
    default:
        add_chain(device, queue, script);
        break;
    }
}

static void build(bool traced)
{
    static const struct machine_spec spec_of = {.vcpu_count = 1, .vsock = true, .disk_count = 1};
    struct machine_spec spec = spec_of;
    struct devices_setup setup = {.spec = &spec, .host = &world.host};
    static char disk_name[] = "disk";
    int disk;
    int ends[2];

    memset(&world, 0, sizeof(world));
    world.memory = (struct guest_memory){
        .regions = {{0, sizeof(world.low), world.low},
                    {FAKE_HIGH_BASE, sizeof(world.high), world.high}},
        .count = 2,
    };
    world.host = (struct machine_callbacks){.console_output = look, .trace = look_at_line};
    spec.traced = spec.timed = traced;
    world.disk = memfd_create("disk", MFD_CLOEXEC);
    disk = dup(world.disk);
    spec.disks[0] =
        (struct machine_disk){.descriptor = "disk0", .name = disk_name, .serial = "fuzz"};
    if (world.disk < 0 || disk < 0 || ftruncate(world.disk, DISK_SIZE) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0 ||
        event_loop_create(&world.loop, NULL) < 0)
        abort();
    world.console = ends[0];
    world.host.console_fd = world.console_end = ends[1];
    world.host.descriptors = &world.descriptors;
    if (fd_table_add(&world.descriptors, "disk0", disk, NULL) < 0)
        abort();
    offer_peer();
    setup.memory = &world.memory;
    setup.loop = world.loop;
    setup.bus = &world.bus;
    world.doorbell.host =
        (struct doorbell_host){.mark = take_mark, .exit = take_exit, .panic = take_panic};
    if (devices_create(&setup, &world.devices, NULL) < 0)
        abort();
    for (unsigned i = 0; i < world.devices.count; i++)
        set_up(i, 0x30000000U);
}

static void prepare(void)
{
    log_configure(-1, LOG_LEVEL_ERROR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct script script = {data, size};
    struct stat status;

    if (!ready) {
        prepare();
        ready = true;
    }
    build(size > 0 && data[0] & 16);
    for (unsigned steps = 0; script.left > 0 && steps < STEPS_MAX; steps++)
        play_step(&script);
    for (unsigned turns = 0; event_loop_turn(world.loop) > 0; turns++) {
        if (turns == TURNS_MAX)
            abort();
    }
    if (fstat(world.disk, &status) < 0 || status.st_size != DISK_SIZE)
        abort();
    devices_destroy(&world.devices);
    event_loop_destroy(world.loop);
    fd_table_close(&world.descriptors);
    if (world.peer >= 0)
        close(world.peer);
    close(world.console);
    close(world.console_end); /* devices do not own it */
    close(world.disk);
    return 0;
}
