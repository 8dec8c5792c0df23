/* SPDX-License-Identifier: Apache-2.0 */
/* The table of device kinds, and how each device is attached; see devices.h. */
#include "vmm/machine/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "devices/console/console.h"
#include "devices/entropy/entropy.h"
#include "devices/net/net.h"
#include "devices/vsock/vsock.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"

#define GUEST_CID 3 /* the only guest of this device, so any CID works */

/* ---- the table: a new kind of device is one row ---- */

struct device_kind {
    const char *name;
    unsigned (*count)(const struct machine_spec *spec);
    /* Creates number `instance` of its kind. */
    int (*create)(const struct devices_setup *setup, unsigned instance,
                  struct virtio_device **device, struct error *err);
    const struct virtio_device_class *class;
};

static unsigned count_one(const struct machine_spec *spec)
{
    (void)spec;
    return 1;
}

static unsigned count_disks(const struct machine_spec *spec)
{
    return spec->disk_count;
}

static unsigned count_nets(const struct machine_spec *spec)
{
    return spec->net_count;
}

static unsigned count_vsock(const struct machine_spec *spec)
{
    return spec->vsock ? 1 : 0;
}

static int create_console(const struct devices_setup *setup, unsigned instance,
                          struct virtio_device **device, struct error *err)
{
    const struct machine_callbacks *host = setup->host;
    struct console_backend backend = {
        .input_fd = host->console_fd,
        .output_fd = host->console_fd,
        .tee = host->console_output,
        .tee_opaque = host->opaque,
    };

    (void)instance;
    return console_create(&backend, device, err);
}

static int create_disk(const struct devices_setup *setup, unsigned instance,
                       struct virtio_device **device, struct error *err)
{
    const struct machine_disk *disk = &setup->spec->disks[instance];
    AUTO_CLOSE int fd = fd_table_take(setup->host->descriptors, disk->descriptor);
    const struct block_backend backend = {
        .fd = fd,
        .read_only = disk->read_only,
        .serial = disk->serial,
    };
    int rc = block_create(&backend, device, err);

    if (rc < 0)
        return error_wrap(err, rc, "disk %s", disk->name);
    steal_fd(&fd);
    return 0;
}

static int create_backend(enum machine_net_kind kind, int fd, struct net_backend **backend,
                          struct error *err)
{
    if (kind == MACHINE_NET_STREAM)
        return net_backend_stream(fd, backend, err);
    return net_backend_datagram(
        fd, kind == MACHINE_NET_TAP ? NET_HEADER_SIZE : sizeof(struct virtio_net_hdr), backend,
        err);
}

static int create_net(const struct devices_setup *setup, unsigned instance,
                      struct virtio_device **device, struct error *err)
{
    const struct machine_net *net = &setup->spec->nets[instance];
    AUTO_CLOSE int fd = fd_table_take(setup->host->descriptors, net->descriptor);
    struct net_options options = {.mtu = (uint16_t)net->mtu};
    struct net_backend *backend;
    int rc = parse_mac(net->mac, "network", options.mac, err);

    if (rc < 0)
        return rc;
    rc = create_backend(net->kind, fd, &backend, err);
    if (rc < 0)
        return rc;
    steal_fd(&fd);
    rc = net_create(&options, backend, device, err);
    if (rc < 0)
        backend->class->destroy(backend);
    return rc;
}

static int create_entropy(const struct devices_setup *setup, unsigned instance,
                          struct virtio_device **device, struct error *err)
{
    (void)setup;
    (void)instance;
    return entropy_create(device, err);
}

/* Each exists once: the first to connect to a port gets its stream. */
static int take_stream(void *opaque, uint32_t port)
{
    struct fd_table *descriptors = opaque;
    char name[FD_TABLE_NAME_SIZE];
    int fd;

    snprintf(name, sizeof(name), "vsock-%u", port);
    fd = fd_table_take(descriptors, name);
    return fd < 0 ? -ECONNREFUSED : fd;
}

static int create_vsock(const struct devices_setup *setup, unsigned instance,
                        struct virtio_device **device, struct error *err)
{
    AUTO_CLOSE int fd = fd_table_take(setup->host->descriptors, "vsock-listener");
    struct vsock_backend backend = {
        .guest_cid = GUEST_CID,
        .listener_fd = fd,
        .opaque = setup->host->descriptors,
        .connect = take_stream,
    };
    int rc;

    (void)instance;
    rc = vsock_create(&backend, device, err);
    if (rc < 0)
        return rc;
    steal_fd(&fd);
    return 0;
}

static const struct device_kind kinds[] = {
    {"console", count_one, create_console, &console_class},
    {"block", count_disks, create_disk, &block_class},
    {"entropy", count_one, create_entropy, &entropy_class},
    {"net", count_nets, create_net, &net_class},
    {"vsock", count_vsock, create_vsock, &vsock_class},
};

/* ---- attaching ---- */

static void signal_event(int fd)
{
    const uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void raise_interrupt(void *opaque)
{
    const struct device *device = opaque;

    signal_event(device->interrupt_fd);
}

static int watch_fd(void *opaque, int fd, uint32_t events, device_fd_handler *handler,
                    void *handler_opaque)
{
    const struct device *device = opaque;

    return event_loop_watch(device->loop, fd, events, handler, handler_opaque);
}

static void pause_fd(void *opaque, int fd)
{
    const struct device *device = opaque;

    event_loop_pause(device->loop, fd);
}

static void trace(void *opaque, const char *line)
{
    const struct device *device = opaque;

    device->host->trace(device->host->opaque, device->name, line);
}

static void kick(void *opaque, unsigned index)
{
    const struct device *device = opaque;

    if (index < VIRTIO_DEVICE_QUEUES)
        signal_event(device->queues[index].event_fd);
    else
        signal_event(device->status_fd >= 0 ? device->status_fd : device->queues[0].event_fd);
}

/* Edge-triggered: each signal is a separate event, so the counter need not be read. */
static void handle_kick(void *opaque, uint32_t events)
{
    struct device_queue *queue = opaque;
    uint64_t begun_ns = cost_begin(queue->device->timed);

    (void)events;
    cost_count(&queue->kicks);
    virtio_mmio_notify(queue->device->mmio, queue->index);
    cost_end(&queue->kicks, begun_ns);
}

static void handle_status_kick(void *opaque, uint32_t events)
{
    const struct device *device = opaque;

    (void)events;
    virtio_mmio_notify(device->mmio, VIRTIO_MMIO_STATUS_KICK);
}

static int watch_kicks(struct device_queue *queue)
{
    return event_loop_watch(queue->device->loop, queue->event_fd, EPOLLIN | EPOLLET, handle_kick,
                            queue);
}

/* No kick is lost: the loop has never read the eventfd, so its first reader sees them all. */
static void delegate_queue(void *opaque, unsigned index, struct device_queue_fds *fds)
{
    struct device *device = opaque;
    int event_fd = device->queues[index].event_fd;

    event_loop_watch(device->loop, event_fd, 0, NULL, NULL);
    *fds = (struct device_queue_fds){.kick_fd = event_fd, .call_fd = device->interrupt_fd};
}

static void reclaim_queue(void *opaque, unsigned index)
{
    struct device *device = opaque;
    int rc = watch_kicks(&device->queues[index]);

    if (rc < 0)
        log_error("%s: cannot wait for its kicks: %s", device->name, strerror(-rc));
}

static void read_registers(void *opaque, uint64_t offset, void *data, uint32_t size)
{
    struct device *device = opaque;
    struct cost *cost = &device->reads[virtio_mmio_register_group(offset)];
    uint64_t begun_ns = cost_begin(device->timed);

    cost_count(cost);
    virtio_mmio_read(device->mmio, offset, data, size);
    cost_end(cost, begun_ns);
}

static void write_registers(void *opaque, uint64_t offset, const void *data, uint32_t size)
{
    struct device *device = opaque;
    struct cost *cost = &device->writes[virtio_mmio_register_group(offset)];
    uint64_t begun_ns = cost_begin(device->timed);

    cost_count(cost);
    virtio_mmio_write(device->mmio, offset, data, size);
    cost_end(cost, begun_ns);
}

static int attach_queue(struct device *device, unsigned index, int vm_fd, struct error *err)
{
    struct device_queue *queue = &device->queues[index];
    struct kvm_ioeventfd doorbell = {
        .datamatch = index,
        .addr = device->slot.base + VIRTIO_MMIO_QUEUE_NOTIFY,
        .len = 4,
        .flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
    };
    int rc;

    queue->device = device;
    queue->index = index;
    queue->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->event_fd < 0)
        return error_set_errno(err, errno, "%s: eventfd", device->name);
    doorbell.fd = queue->event_fd;
    if (ioctl(vm_fd, KVM_IOEVENTFD, &doorbell) < 0)
        return error_set_errno(err, errno, "%s: KVM_IOEVENTFD", device->name);
    rc = watch_kicks(queue);
    return rc < 0 ? error_set_errno(err, -rc, "%s: eventfd", device->name) : 0;
}

static int attach_interrupt(struct device *device, int vm_fd, struct error *err)
{
    struct kvm_irqfd interrupt = {.gsi = device->slot.interrupt};

    device->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (device->interrupt_fd < 0)
        return error_set_errno(err, errno, "%s: eventfd", device->name);
    interrupt.fd = (uint32_t)device->interrupt_fd;
    if (ioctl(vm_fd, KVM_IRQFD, &interrupt) < 0)
        return error_set_errno(err, errno, "%s: KVM_IRQFD", device->name);
    return 0;
}

/* If another process may handle the queues' kicks, changes of the status need their own. */
static int attach_status(struct device *device, struct error *err)
{
    int rc;

    if (!device->virtio->class->delegates_queues)
        return 0;
    device->status_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (device->status_fd < 0)
        return error_set_errno(err, errno, "%s: eventfd", device->name);
    rc = event_loop_watch(device->loop, device->status_fd, EPOLLIN | EPOLLET, handle_status_kick,
                          device);
    return rc < 0 ? error_set_errno(err, -rc, "%s: eventfd", device->name) : 0;
}

/* Creates the transport, which takes ownership of `virtio`. */
static int attach_transport(const struct devices_setup *setup, struct device *device,
                            struct virtio_device *virtio, struct error *err)
{
    const struct device_host host = {
        .opaque = device,
        .raise_interrupt = raise_interrupt,
        .watch_fd = watch_fd,
        .pause_fd = pause_fd,
        .delegate_queue = delegate_queue,
        .reclaim_queue = reclaim_queue,
        .trace = setup->spec->traced && setup->host->trace ? trace : NULL,
    };
    const struct bus_range range = {
        .name = device->name,
        .base = device->slot.base,
        .size = VIRTIO_MMIO_SIZE,
        .read = read_registers,
        .write = write_registers,
        .opaque = device,
    };
    int rc = virtio_mmio_create(virtio, setup->memory, &host, &device->mmio, err);

    if (rc < 0) {
        virtio->class->destroy(virtio);
        return rc;
    }
    device->virtio = virtio;
    virtio_mmio_set_kick(device->mmio, kick, device);
    return bus_add(setup->bus, &range, err);
}

int devices_attach(const struct devices_setup *setup, const char *name,
                   struct virtio_device *virtio, struct devices *devices, struct error *err)
{
    struct device *device = &devices->list[devices->count];
    int rc;

    *device = (struct device){
        .slot = arch_device_slot(devices->count),
        .loop = setup->loop,
        .host = setup->host,
        .timed = setup->spec->timed,
        .interrupt_fd = -1,
        .status_fd = -1,
    };
    snprintf(device->name, sizeof(device->name), "%s", name);
    for (unsigned i = 0; i < VIRTIO_DEVICE_QUEUES; i++)
        device->queues[i].event_fd = -1;
    devices->count++;
    rc = attach_transport(setup, device, virtio, err);
    if (rc < 0)
        return rc;
    rc = attach_interrupt(device, setup->vm_fd, err);
    if (rc < 0)
        return rc;
    rc = attach_status(device, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < virtio->class->queue_count; i++) {
        rc = attach_queue(device, i, setup->vm_fd, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_device(const struct devices_setup *setup, const struct device_kind *kind,
                      unsigned instance, struct devices *devices, struct error *err)
{
    struct virtio_device *virtio = NULL;
    char name[16];
    int rc;

    if (devices->count == ARCH_DEVICE_SLOTS)
        return error_set(err, ENOSPC, "at most %d devices are possible", ARCH_DEVICE_SLOTS);
    rc = kind->create(setup, instance, &virtio, err);
    if (rc < 0)
        return rc;
    if (kind->count(setup->spec) == 1)
        snprintf(name, sizeof(name), "%s", kind->name);
    else
        snprintf(name, sizeof(name), "%s%u", kind->name, instance);
    return devices_attach(setup, name, virtio, devices, err);
}

int devices_create(const struct devices_setup *setup, struct devices *devices, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        unsigned count = kinds[i].count(setup->spec);

        for (unsigned instance = 0; instance < count; instance++) {
            int rc = add_device(setup, &kinds[i], instance, devices, err);

            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static void close_event(struct device *device, int fd)
{
    if (fd < 0)
        return;
    event_loop_watch(device->loop, fd, 0, NULL, NULL);
    close(fd);
}

void devices_destroy(struct devices *devices)
{
    for (unsigned i = 0; i < devices->count; i++) {
        struct device *device = &devices->list[i];

        for (unsigned q = 0; q < VIRTIO_DEVICE_QUEUES; q++)
            close_event(device, device->queues[q].event_fd);
        close_event(device, device->status_fd);
        virtio_mmio_destroy(device->mmio);
        if (device->interrupt_fd >= 0)
            close(device->interrupt_fd);
    }
    devices->count = 0;
}

static bool has_class(const struct devices *devices, const struct virtio_device_class *class)
{
    for (unsigned i = 0; i < devices->count; i++)
        if (devices->list[i].virtio && devices->list[i].virtio->class == class)
            return true;
    return false;
}

static void add_calls(const struct virtio_device_class *class, enum machine_thread thread,
                      struct thread_calls *calls)
{
    thread_calls_add(calls, thread == MACHINE_THREAD_VCPU ? class->register_calls : class->calls);
}

void devices_add_calls(const struct devices *devices, enum machine_thread thread,
                       struct thread_calls *calls)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (has_class(devices, kinds[i].class))
            add_calls(kinds[i].class, thread, calls);
}

void devices_add_all_calls(enum machine_thread thread, struct thread_calls *calls)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        add_calls(kinds[i].class, thread, calls);
}

struct device *devices_find(struct devices *devices, const char *kind)
{
    for (unsigned i = 0; i < devices->count; i++) {
        struct device *device = &devices->list[i];

        if (device->virtio && strcmp(device->virtio->class->name, kind) == 0)
            return device;
    }
    return NULL;
}

static void visit_registers(const struct device *device, count_visitor *visit, void *opaque)
{
    for (unsigned i = 0; i < VIRTIO_MMIO_GROUPS; i++) {
        const char *group = virtio_mmio_register_group_name(i);
        uint64_t reads = count_load(&device->reads[i].count);
        uint64_t writes = count_load(&device->writes[i].count);

        if (reads + writes == 0)
            continue;
        counts_visit(visit, opaque, reads, "%s.%s.reads", device->name, group);
        counts_visit(visit, opaque, writes, "%s.%s.writes", device->name, group);
        counts_visit(visit, opaque,
                     count_load(&device->reads[i].ns) + count_load(&device->writes[i].ns),
                     "%s.%s.ns", device->name, group);
    }
}

static void visit_queues(const struct device *device, const struct virtio_mmio_counts *counts,
                         count_visitor *visit, void *opaque)
{
    const struct virtio_device_class *class = device->virtio->class;

    for (unsigned i = 0; i < class->queue_count; i++) {
        const struct virtio_mmio_queue_counts *used = &counts->queues[i];
        const struct cost *kicks = &device->queues[i].kicks;
        const char *queue = class->queue_names[i];

        if (count_load(&kicks->count) + used->notified + used->suppressed == 0)
            continue;
        counts_visit(visit, opaque, count_load(&kicks->count), "%s.%s.kicks", device->name, queue);
        counts_visit(visit, opaque, count_load(&kicks->ns), "%s.%s.ns", device->name, queue);
        counts_visit(visit, opaque, used->notified, "%s.%s.notified", device->name, queue);
        counts_visit(visit, opaque, used->suppressed, "%s.%s.suppressed", device->name, queue);
    }
}

void devices_visit_counts(const struct devices *devices, count_visitor *visit, void *opaque)
{
    for (unsigned i = 0; i < devices->count; i++) {
        const struct device *device = &devices->list[i];
        struct virtio_mmio_counts counts;

        virtio_mmio_get_counts(device->mmio, &counts);
        counts_visit(visit, opaque, counts.kicks, "%s.kicks", device->name);
        counts_visit(visit, opaque, counts.interrupts, "%s.interrupts", device->name);
        if (!device->timed)
            continue;
        counts_visit(visit, opaque, counts.bytes, "%s.bytes", device->name);
        counts_visit(visit, opaque, counts.yields, "%s.yields", device->name);
        visit_registers(device, visit, opaque);
        visit_queues(device, &counts, visit, opaque);
    }
}
