/* SPDX-License-Identifier: Apache-2.0 */
/* A VM without KVM around one device, and the device's driver; see fake_driver.h. */
#include "tests/unit/devices/fake_driver.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "vmm/base/bytes.h"

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLHUP == EPOLLHUP &&
                   POLLERR == EPOLLERR,
               "poll stands in for epoll");

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- callbacks of the device ---- */

static void raise_interrupt(void *opaque)
{
    struct fake_machine *machine = opaque;

    __atomic_fetch_add(&machine->interrupts, 1, __ATOMIC_SEQ_CST);
}

static struct fake_watch *find_watch(struct fake_machine *machine, int fd)
{
    for (unsigned i = 0; i < machine->watch_count; i++) {
        if (machine->watches[i].fd == fd)
            return &machine->watches[i];
    }
    return NULL;
}

static int watch_fd(void *opaque, int fd, uint32_t events, device_fd_handler *handler,
                    void *handler_opaque)
{
    struct fake_machine *machine = opaque;
    struct fake_watch *watch = find_watch(machine, fd);
    struct stat status;

    if (events == 0) {
        if (watch)
            *watch = machine->watches[--machine->watch_count];
        return 0;
    }
    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode))
        return -EPERM; /* as in epoll */
    if (!watch) {
        if (machine->watch_count == FAKE_WATCHES_MAX)
            return -ENOSPC;
        watch = &machine->watches[machine->watch_count++];
    }
    *watch = (struct fake_watch){fd, events, handler, handler_opaque};
    return 0;
}

static void pause_fd(void *opaque, int fd)
{
    struct fake_machine *machine = opaque;

    (void)fd;
    machine->pauses++;
}

static void kick(void *opaque, unsigned index)
{
    struct fake_machine *machine = opaque;

    __atomic_fetch_or(&machine->kicks, 1U << index, __ATOMIC_SEQ_CST);
}

uint32_t fake_watched(const struct fake_machine *machine, int fd)
{
    for (unsigned i = 0; i < machine->watch_count; i++) {
        if (machine->watches[i].fd == fd)
            return machine->watches[i].events;
    }
    return 0;
}

static void trace(void *opaque, const char *line)
{
    struct fake_machine *machine = opaque;

    fprintf(machine->trace_file, "%s\n", line);
}

static void begin_trace(struct fake_machine *machine)
{
    if (machine->trace_file)
        fclose(machine->trace_file);
    free(machine->trace);
    machine->trace_file = open_memstream(&machine->trace, &machine->trace_size);
    require(machine->trace_file);
}

const char *fake_trace(struct fake_machine *machine)
{
    static char trace[16384];

    fflush(machine->trace_file);
    require(machine->trace_size < sizeof(trace));
    memcpy(trace, machine->trace, machine->trace_size + 1);
    begin_trace(machine);
    return trace;
}

/* ---- the machine ---- */

static void create(struct fake_machine *machine, struct virtio_device *device, bool telling)
{
    struct device_host host = {
        .opaque = machine,
        .raise_interrupt = raise_interrupt,
        .watch_fd = watch_fd,
        .pause_fd = pause_fd,
        .trace = telling ? trace : NULL,
    };

    memset(machine, 0, sizeof(*machine));
    if (telling)
        begin_trace(machine);
    /* From the heap, so that a sanitizer detects each access outside. */
    machine->low = aligned_alloc(4096, FAKE_REGION_SIZE);
    machine->high = aligned_alloc(4096, FAKE_REGION_SIZE);
    require(machine->low && machine->high);
    memset(machine->low, 0, FAKE_REGION_SIZE);
    memset(machine->high, 0, FAKE_REGION_SIZE);
    machine->memory = (struct guest_memory){
        .regions = {{0, FAKE_REGION_SIZE, machine->low},
                    {FAKE_HIGH_BASE, FAKE_REGION_SIZE, machine->high}},
        .count = 2,
    };
    machine->next_free = 4096;
    machine->device = device;
    require(virtio_mmio_create(device, &machine->memory, &host, &machine->mmio, NULL) == 0);
    virtio_mmio_set_kick(machine->mmio, kick, machine);
}

void fake_machine_create(struct fake_machine *machine, struct virtio_device *device)
{
    create(machine, device, false);
}

void fake_machine_create_telling(struct fake_machine *machine, struct virtio_device *device)
{
    create(machine, device, true);
}

void fake_machine_destroy(struct fake_machine *machine)
{
    if (machine->trace_file)
        fclose(machine->trace_file);
    free(machine->trace);
    virtio_mmio_destroy(machine->mmio);
    require(machine->watch_count == 0); /* a device stops watching its descriptors */
    free(machine->low);
    free(machine->high);
}

uint64_t fake_allocate(struct fake_machine *machine, size_t size)
{
    uint64_t address = machine->next_free;

    machine->next_free = align_up(address + size, 16);
    require(machine->next_free <= FAKE_REGION_SIZE);
    memset(machine->low + address, 0, size);
    return address;
}

void *fake_at(const struct fake_machine *machine, uint64_t address)
{
    return guest_memory_at(&machine->memory, GUEST_ADDR(address), 1);
}

bool fake_run(struct fake_machine *machine, unsigned rounds)
{
    for (; rounds > 0; rounds--) {
        uint32_t kicks = __atomic_exchange_n(&machine->kicks, 0, __ATOMIC_SEQ_CST);
        struct fake_watch watches[FAKE_WATCHES_MAX];
        struct pollfd fds[FAKE_WATCHES_MAX];
        unsigned count = machine->watch_count;
        int ready;

        for (unsigned i = 0; i < 32; i++) {
            if (kicks & (1U << i))
                virtio_mmio_notify(machine->mmio, i);
        }
        for (unsigned i = 0; i < count; i++) {
            watches[i] = machine->watches[i];
            fds[i] = (struct pollfd){watches[i].fd, (short)watches[i].events, 0};
        }
        ready = poll(fds, count, 0);
        for (unsigned i = 0; ready > 0 && i < count; i++) {
            const struct fake_watch *now = find_watch(machine, watches[i].fd);

            if (!fds[i].revents || !now || now->opaque != watches[i].opaque)
                continue;
            machine->fd_events++;
            now->handler(now->opaque, (uint32_t)fds[i].revents);
        }
        if (ready <= 0 && kicks == 0 && __atomic_load_n(&machine->kicks, __ATOMIC_SEQ_CST) == 0)
            return true;
    }
    return false;
}

/* ---- registers ---- */

uint32_t fake_read(struct fake_machine *machine, uint32_t offset)
{
    uint8_t data[4];

    virtio_mmio_read(machine->mmio, offset, data, sizeof(data));
    return load_le32(data);
}

void fake_write(struct fake_machine *machine, uint32_t offset, uint32_t value)
{
    uint8_t data[4];

    store_le32(data, value);
    virtio_mmio_write(machine->mmio, offset, data, sizeof(data));
}

uint32_t fake_negotiate(struct fake_machine *machine, uint64_t features)
{
    const uint32_t steps[] = {VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER};
    uint32_t status = 0;

    features |= 1ULL << VIRTIO_F_VERSION_1;
    fake_write(machine, VIRTIO_MMIO_STATUS, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(steps); i++) {
        status |= steps[i];
        fake_write(machine, VIRTIO_MMIO_STATUS, status);
    }
    for (uint32_t half = 0; half < 2; half++) {
        fake_write(machine, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        fake_write(machine, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    fake_write(machine, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
    return fake_read(machine, VIRTIO_MMIO_STATUS);
}

static void write_address(struct fake_machine *machine, uint32_t low, uint32_t high, uint64_t value)
{
    fake_write(machine, low, (uint32_t)value);
    fake_write(machine, high, (uint32_t)(value >> 32));
}

void fake_queue_setup(struct fake_machine *machine, unsigned index, uint16_t size)
{
    struct fake_queue *queue = &machine->queues[index];

    *queue = (struct fake_queue){.size = size};
    queue->descriptors = fake_allocate(machine, (size_t)size * 16);
    queue->available = fake_allocate(machine, (size_t)size * 2 + 6);
    queue->used = fake_allocate(machine, (size_t)size * 8 + 6);
    fake_write(machine, VIRTIO_MMIO_QUEUE_SEL, index);
    fake_write(machine, VIRTIO_MMIO_QUEUE_NUM, size);
    write_address(machine, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH,
                  queue->descriptors);
    write_address(machine, VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
                  queue->available);
    write_address(machine, VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_QUEUE_USED_HIGH, queue->used);
    fake_write(machine, VIRTIO_MMIO_QUEUE_READY, 1);
}

void fake_start(struct fake_machine *machine, uint64_t features, uint16_t size)
{
    uint32_t status = fake_negotiate(machine, features);

    require(status & VIRTIO_CONFIG_S_FEATURES_OK);
    for (unsigned i = 0; i < machine->device->class->queue_count; i++)
        fake_queue_setup(machine, i, size);
    fake_write(machine, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
    require(fake_run(machine, 100));
}

/* ---- queues ---- */

void fake_descriptor(struct fake_machine *machine, unsigned queue, uint64_t table, uint16_t index,
                     uint64_t address, uint32_t size, uint16_t flags, uint16_t next)
{
    uint64_t base = table ? table : machine->queues[queue].descriptors;
    struct vring_desc descriptor = {htole64(address), htole32(size), htole16(flags), htole16(next)};

    memcpy(fake_at(machine, base + 16ULL * index), &descriptor, sizeof(descriptor));
}

void fake_offer(struct fake_machine *machine, unsigned queue, uint16_t head)
{
    struct fake_queue *at = &machine->queues[queue];
    uint8_t *ring = fake_at(machine, at->available);

    store_le16(ring + 4 + 2 * (at->available_index % at->size), head);
    at->available_index++;
    store_le16(ring + 2, at->available_index);
}

uint16_t fake_add(struct fake_machine *machine, unsigned queue, const struct fake_buffer *buffers,
                  unsigned count)
{
    struct fake_queue *at = &machine->queues[queue];
    uint16_t head = at->next_descriptor;

    for (unsigned i = 0; i < count; i++) {
        uint16_t index = at->next_descriptor;
        uint16_t next = (uint16_t)((index + 1) % at->size);
        uint16_t flags = buffers[i].writable ? VRING_DESC_F_WRITE : 0;

        if (i + 1 < count)
            flags |= VRING_DESC_F_NEXT;
        fake_descriptor(machine, queue, 0, index, buffers[i].address, buffers[i].size, flags, next);
        at->next_descriptor = next;
    }
    fake_offer(machine, queue, head);
    return head;
}

void fake_notify(struct fake_machine *machine, unsigned queue)
{
    fake_write(machine, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

bool fake_pop(struct fake_machine *machine, unsigned queue, uint32_t *head, uint32_t *size)
{
    struct fake_queue *at = &machine->queues[queue];
    const uint8_t *ring = fake_at(machine, at->used);
    const uint8_t *element = ring + 4 + 8 * (at->seen_used % at->size);

    if (load_le16(ring + 2) == at->seen_used)
        return false;
    *head = load_le32(element);
    *size = load_le32(element + 4);
    at->seen_used++;
    return true;
}
