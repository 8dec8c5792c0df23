/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue that another process serves, as vhost and vhost-user do: it only has the queue's two
 * eventfds, the guest's addresses and the descriptor of the guest's memory. This test plays KVM: it
 * stores the eventfds that it gets, signals and reads them.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/devices/fake_driver.h"
#include "tests/unit/unit.h"
#include "vmm/machine/devices.h"
#include "vmm/machine/memory.h"

#define MEMORY_SIZE (UINT64_C(64) << 20)
#define SIZE        8
#define ANSWER      "served elsewhere"
#define PATIENCE_MS 60000 /* for a process that has died */

static int doorbells[VIRTIO_DEVICE_QUEUES]; /* ioeventfd of each queue */
static int interrupt;                       /* irqfd */

int ioctl(int fd, unsigned long request, ...);

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == KVM_IOEVENTFD) {
        const struct kvm_ioeventfd *doorbell = argument;

        doorbells[doorbell->datamatch] = doorbell->fd;
        return 0;
    }
    if (request == KVM_IRQFD) {
        interrupt = (int)((const struct kvm_irqfd *)argument)->fd;
        return 0;
    }
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* ---- the other process ---- */

struct back_end {
    struct device_queue_fds fds;
    struct virtqueue queue; /* addresses of the guest, and its position */
    struct guest_memory memory;
};

/* Maps the memory at its own addresses, and unmaps the inherited ones. */
static void map_again(struct guest_memory *memory)
{
    for (unsigned i = 0; i < memory->count; i++) {
        struct guest_memory_region *region = &memory->regions[i];
        void *elsewhere = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd,
                               (off_t)guest_memory_offset(memory, i));

        if (elsewhere == MAP_FAILED || munmap(region->host, region->size) < 0)
            _exit(2);
        region->host = elsewhere;
    }
}

static void serve_all(struct back_end *back_end)
{
    static struct virtqueue_chain chain;
    const uint64_t one = 1;

    while (virtqueue_pop(&back_end->queue, &back_end->memory, &chain) == 1) {
        size_t size = virtqueue_chain_write(&chain, 0, ANSWER, sizeof(ANSWER));

        virtqueue_push_used(&back_end->queue, chain.head, (uint32_t)size);
    }
    if (virtqueue_needs_interrupt(&back_end->queue) &&
        write(back_end->fds.call_fd, &one, sizeof(one)) != sizeof(one))
        _exit(3);
}

static void run_back_end(struct back_end *back_end)
{
    map_again(&back_end->memory);
    virtqueue_stop(&back_end->queue); /* its areas are those of the VM */
    if (virtqueue_start(&back_end->queue, &back_end->memory) < 0)
        _exit(4);
    for (;;) {
        struct pollfd kick = {.fd = back_end->fds.kick_fd, .events = POLLIN};
        uint64_t count;

        if (poll(&kick, 1, -1) != 1 || read(kick.fd, &count, sizeof(count)) != sizeof(count))
            _exit(5);
        serve_all(back_end);
    }
}

/* ---- a device whose first queue is served by it ---- */

struct split_device {
    struct virtio_device device;
    bool stays;  /* delegates nothing */
    pid_t other; /* 0 = none */
    unsigned handled[2];
};

static void split_handle_queue(struct virtio_device *device, unsigned index)
{
    ((struct split_device *)device)->handled[index]++;
}

static void split_activate(struct virtio_device *device)
{
    struct split_device *split = (struct split_device *)device;
    struct back_end back_end = {.queue = device->queues[0], .memory = *device->memory};

    if (split->stays)
        return;
    assert_int_equal(virtio_device_delegate_queue(device, 0, &back_end.fds), 0);
    split->other = fork();
    assert_true(split->other >= 0);
    if (split->other == 0)
        run_back_end(&back_end);
}

static void split_reset(struct virtio_device *device)
{
    struct split_device *split = (struct split_device *)device;
    int status;

    if (split->other == 0)
        return;
    kill(split->other, SIGKILL);
    assert_int_equal(waitpid(split->other, &status, 0), split->other);
    assert_true(WIFSIGNALED(status)); /* and did not end by itself */
    split->other = 0;
}

static void split_destroy(struct virtio_device *device)
{
    split_reset(device);
    free(device);
}

static const struct virtio_device_class split_class = {
    .name = "split",
    .device_id = 77,
    .queue_count = 2,
    .queue_names = {"elsewhere", "here"},
    .queue_size_max = 16,
    .delegates_queues = true,
    .handle_queue = split_handle_queue,
    .activate = split_activate,
    .reset = split_reset,
    .destroy = split_destroy,
};

/* ---- the machine ---- */

static struct machine_memory memory;
static struct event_loop *loop;
static struct bus bus;
static struct devices devices;
static struct fake_machine driver; /* only its driver's side is used */
static struct split_device *split;

static int begin(void **state)
{
    static const struct machine_spec spec = {0};
    static const struct machine_callbacks host = {0};
    struct devices_setup setup = {
        .spec = &spec, .host = &host, .memory = &memory.guest, .bus = &bus, .vm_fd = -1};

    (void)state;
    split = calloc(1, sizeof(*split));
    assert_non_null(split);
    split->device.class = &split_class;
    bus = (struct bus){0};
    assert_int_equal(memory_create(MEMORY_SIZE, MACHINE_MEMORY_MEMFD, -1, &memory, NULL), 0);
    assert_int_equal(event_loop_create(&loop, NULL), 0);
    setup.loop = loop;
    assert_int_equal(devices_attach(&setup, "split", &split->device, &devices, NULL), 0);
    driver = (struct fake_machine){
        .low = memory.guest.regions[0].host,
        .memory = memory.guest,
        .next_free = 4096,
        .device = &split->device,
        .mmio = devices.list[0].mmio,
    };
    return 0;
}

static int end(void **state)
{
    (void)state;
    devices_destroy(&devices);
    event_loop_destroy(loop);
    memory_destroy(&memory);
    return 0;
}

static void run_loop(void)
{
    while (event_loop_turn(loop) > 0)
        ;
}

static void start(void)
{
    fake_start(&driver, 0, SIZE);
    run_loop();
}

/* Same as KVM for a write to QueueNotify. */
static void ring(unsigned index)
{
    const uint64_t one = 1;

    assert_int_equal(write(doorbells[index], &one, sizeof(one)), sizeof(one));
}

/* Same as KVM: waits for the interrupt, and takes it. */
static void expect_interrupt(void)
{
    struct pollfd wait = {.fd = interrupt, .events = POLLIN};
    uint64_t count;

    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_int_equal(read(interrupt, &count, sizeof(count)), sizeof(count));
}

static void offer(uint64_t address)
{
    const struct fake_buffer buffer = {address, 64, true};

    fake_add(&driver, 0, &buffer, 1);
}

static void expect_answer(uint64_t address)
{
    uint32_t head = 0;
    uint32_t size = 0;

    expect_interrupt();
    assert_true(fake_pop(&driver, 0, &head, &size));
    assert_int_equal(size, sizeof(ANSWER));
    assert_memory_equal(fake_at(&driver, address), ANSWER, sizeof(ANSWER));
}

/* ---- tests ---- */

static void another_process_serves_a_queue(void **state)
{
    (void)state;
    start();
    assert_true(split->other > 0);
    for (uint64_t i = 1; i <= 3; i++) {
        offer(0x10000 * i);
        ring(0);
        expect_answer(0x10000 * i);
    }
    assert_int_equal(event_loop_turn(loop), 0); /* none of it was for us */
    assert_int_equal(split->handled[0], 0);
}

static void a_notification_by_register_reaches_it_too(void **state)
{
    (void)state;
    start();
    offer(0x10000);
    fake_notify(&driver, 0);
    expect_answer(0x10000);
    assert_int_equal(split->handled[0], 0);
}

static void a_kick_before_the_other_process_is_there_is_not_lost(void **state)
{
    uint32_t status = fake_negotiate(&driver, 0);

    (void)state;
    fake_queue_setup(&driver, 0, SIZE);
    fake_write(&driver, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
    offer(0x10000);
    ring(0);
    run_loop();
    expect_answer(0x10000);
    assert_int_equal(split->handled[0], 0);
}

static void the_other_queue_stays_here(void **state)
{
    unsigned before;

    (void)state;
    start();
    before = split->handled[1];
    ring(1);
    run_loop();
    assert_int_equal(split->handled[1], before + 1);
}

/* The other process interrupts directly, so the cause must always be set. */
static void the_interrupt_status_names_used_buffers(void **state)
{
    (void)state;
    assert_int_equal(fake_read(&driver, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    start();
    assert_int_equal(fake_read(&driver, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
    virtio_device_config_changed(&split->device);
    assert_int_equal(fake_read(&driver, VIRTIO_MMIO_INTERRUPT_STATUS),
                     VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
    fake_write(&driver, VIRTIO_MMIO_INTERRUPT_ACK, UINT32_MAX);
    assert_int_equal(fake_read(&driver, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
}

static void a_queue_in_use_elsewhere_stays_ready(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 2; i++) {
        fake_write(&driver, VIRTIO_MMIO_QUEUE_SEL, i);
        fake_write(&driver, VIRTIO_MMIO_QUEUE_READY, 0);
        assert_int_equal(fake_read(&driver, VIRTIO_MMIO_QUEUE_READY), i == 0);
    }
}

static void a_reset_is_done_when_the_other_process_has_stopped(void **state)
{
    pid_t other;

    (void)state;
    start();
    other = split->other;
    fake_write(&driver, VIRTIO_MMIO_STATUS, 0);
    assert_int_not_equal(fake_read(&driver, VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(kill(other, 0), 0);
    run_loop();
    assert_int_equal(fake_read(&driver, VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(kill(other, 0), -1);
    assert_int_equal(fake_read(&driver, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void after_a_reset_the_queue_is_here_again(void **state)
{
    unsigned before;

    (void)state;
    start();
    split->stays = true;
    start();
    assert_int_equal(split->other, 0);
    before = split->handled[0];
    ring(0);
    run_loop();
    assert_int_equal(split->handled[0], before + 1);

    split->stays = false; /* and set again */
    start();
    offer(0x10000);
    ring(0);
    expect_answer(0x10000);
}

static void what_cannot_be_delegated_is_refused(void **state)
{
    struct virtio_device_class stays = split_class;
    struct device_queue_fds fds;

    (void)state;
    split->stays = true;
    assert_int_equal(virtio_device_delegate_queue(&split->device, 0, &fds), -EINVAL);
    start();
    assert_int_equal(virtio_device_delegate_queue(&split->device, 2, &fds), -EINVAL);
    stays.delegates_queues = false;
    split->device.class = &stays;
    assert_int_equal(virtio_device_delegate_queue(&split->device, 0, &fds), -ENOTSUP);
    split->device.class = &split_class;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_process_serves_a_queue),
        TEST(a_notification_by_register_reaches_it_too),
        TEST(a_kick_before_the_other_process_is_there_is_not_lost),
        TEST(the_other_queue_stays_here),
        TEST(the_interrupt_status_names_used_buffers),
        TEST(a_queue_in_use_elsewhere_stays_ready),
        TEST(a_reset_is_done_when_the_other_process_has_stopped),
        TEST(after_a_reset_the_queue_is_here_again),
        TEST(what_cannot_be_delegated_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
