/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine under ThreadSanitizer: several vCPU threads use all registers of all devices at once,
 * and break the rules while others keep to them, while the I/O loop serves queues, resets, the
 * console's other end, window changes and the end. The KVM is tests/faults/fake_kvm.h, the rest is
 * the product. A race is a failure, and so is a machine that does not end.
 *
 * Usage: vcpus [SEED [ROUNDS [EXITS]]]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "guest/doorbell_abi.h"
#include "tests/faults/fake_kvm.h"
#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"
#include "vmm/machine/kvm.h"
#include "vmm/machine/machine.h"

#define VCPUS         4
#define DEVICES       5 /* console, two disks, entropy, vsock */
#define QUEUES        3
#define QUEUE_SIZE    16U
#define MEMORY_SIZE   (UINT64_C(8) << 20)
#define DEVICE_MEMORY 0x40000U /* of each device, from 1 MiB on */
#define QUEUE_MEMORY  0x10000U

enum ending { END_DOORBELL, END_PANIC, END_POWER_OFF, END_STOP, ENDINGS };

/* What a vCPU is about: a driver's way through a device's set-up, or anything at all. */
struct driver {
    uint64_t random;
    unsigned device, step, queue;
};

static struct driver drivers[VCPUS];
static unsigned exits_left; /* atomic */
static enum ending ending;
static unsigned marks; /* atomic */

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static uint64_t queue_memory(unsigned device, unsigned queue)
{
    return 0x100000U + device * DEVICE_MEMORY + queue * QUEUE_MEMORY;
}

/* A guest's stores: a device looks at memory that a guest changes all the time. That is not
 * our race: the fuzz targets test what must hold whatever is read there. */
__attribute__((no_sanitize("thread"))) static void poke(uint64_t address, const void *data,
                                                        size_t size)
{
    volatile uint8_t *to = fake_guest_memory(address, size);

    for (size_t i = 0; i < size; i++)
        to[i] = ((const uint8_t *)data)[i];
}

/* Chains of one or two buffers for each slot, and an available index that moves on. */
static void fill_queue(struct driver *driver, unsigned device, unsigned queue)
{
    uint64_t base = queue_memory(device, queue);
    uint16_t available[2 + QUEUE_SIZE] = {0};

    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        const struct vring_desc descriptor = {
            .addr = htole64(base + 0x4000U + i * 0x400U),
            .len = htole32(next_random(&driver->random) % 0x400U + 1),
            .flags = htole16(next_random(&driver->random) % 4),
            .next = htole16((uint16_t)(next_random(&driver->random) % QUEUE_SIZE)),
        };

        poke(base + i * sizeof(descriptor), &descriptor, sizeof(descriptor));
        available[2 + i] = htole16(i);
    }
    available[1] = htole16((uint16_t)next_random(&driver->random) % QUEUE_SIZE);
    poke(base + 0x1000U, available, sizeof(available));
}

static void write_word(struct kvm_run *run, unsigned device, uint32_t offset, uint32_t value)
{
    uint8_t data[4];

    store_le32(data, value);
    fake_exit_mmio(run, arch_device_slot(device).base + offset, sizeof(data), data);
}

/* One step of a proper set-up; each is an exit. Returns false after the last. */
static bool set_up(struct driver *driver, struct kvm_run *run)
{
    static const uint32_t status[] = {0, VIRTIO_CONFIG_S_ACKNOWLEDGE,
                                      VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER};
    static const uint32_t negotiated =
        VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
    unsigned step = driver->step++;
    unsigned device = driver->device;
    uint64_t base;

    if (step < 3) {
        write_word(run, device, VIRTIO_MMIO_STATUS, status[step]);
    } else if (step == 3) {
        write_word(run, device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    } else if (step == 4) {
        write_word(run, device, VIRTIO_MMIO_DRIVER_FEATURES, 1);
    } else if (step == 5) {
        write_word(run, device, VIRTIO_MMIO_STATUS, negotiated);
    } else if (step < 6 + QUEUES * 6) {
        static const uint32_t registers[] = {
            VIRTIO_MMIO_QUEUE_SEL,       VIRTIO_MMIO_QUEUE_NUM,      VIRTIO_MMIO_QUEUE_DESC_LOW,
            VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_QUEUE_READY};
        unsigned queue = (step - 6) / 6;
        unsigned part = (step - 6) % 6;

        base = queue_memory(device, queue);
        write_word(run, device, registers[part],
                   (const uint32_t[]){queue, QUEUE_SIZE, (uint32_t)base, (uint32_t)base + 0x1000U,
                                      (uint32_t)base + 0x2000U, 1}[part]);
    } else if (step == 6 + QUEUES * 6) {
        for (unsigned queue = 0; queue < QUEUES; queue++)
            fill_queue(driver, device, queue);
        write_word(run, device, VIRTIO_MMIO_STATUS, negotiated | VIRTIO_CONFIG_S_DRIVER_OK);
    } else {
        return false;
    }
    return true;
}

static void ring_doorbell(struct kvm_run *run, uint32_t call, uint32_t argument)
{
    uint8_t data[4];

    store_le32(data, call | argument << 8);
    fake_exit_port(run, DOORBELL_PORT, sizeof(data), data);
}

static void do_anything(struct driver *driver, struct kvm_run *run)
{
    uint32_t what = next_random(&driver->random) % 16;
    unsigned device = next_random(&driver->random) % DEVICES;
    unsigned queue = next_random(&driver->random) % QUEUES;
    uint64_t base = arch_device_slot(device).base;
    uint64_t offset = next_random(&driver->random) % (VIRTIO_MMIO_CONFIG + 64);

    switch (what) {
    case 0: /* a new way through some device */
    case 1:
        driver->device = device;
        driver->step = 0;
        fake_exit_mmio(run, base, 4, NULL);
        break;
    case 2:
        ring_doorbell(run, DOORBELL_MARK, next_random(&driver->random) % 8);
        break;
    case 3:
        fake_exit_port(run, (uint16_t)next_random(&driver->random), 2, NULL);
        break;
    case 4:
        write_word(run, device, VIRTIO_MMIO_INTERRUPT_ACK, 3);
        break;
    case 5:
        fake_exit_mmio(run, base + VIRTIO_MMIO_INTERRUPT_STATUS, 4, NULL);
        break;
    case 6: /* an exit for what is an ioeventfd otherwise */
        write_word(run, device, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
        break;
    case 7:
        write_word(run, device, (uint32_t)offset & ~3U, next_random(&driver->random));
        break;
    case 8:
    case 9:
        fake_exit_mmio(run, base + (offset & ~3U), 4, NULL);
        break;
    case 10: /* configuration space */
        fake_exit_mmio(run, base + VIRTIO_MMIO_CONFIG + offset % 64,
                       1U << next_random(&driver->random) % 4, NULL);
        break;
    default: /* more work, and a kick without an exit */
        fill_queue(driver, device, queue);
        fake_ioeventfd(base, queue);
        fake_exit_mmio(run, base + VIRTIO_MMIO_STATUS, 4, NULL);
        break;
    }
}

static void end_machine(struct kvm_run *run)
{
    switch (ending) {
    case END_DOORBELL:
        ring_doorbell(run, DOORBELL_EXIT, 3);
        break;
    case END_PANIC:
        ring_doorbell(run, DOORBELL_PANIC, 0);
        break;
    case END_POWER_OFF:
        run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
        run->system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN;
        break;
    default: /* the I/O loop does it */
        fake_exit_port(run, DOORBELL_PORT, 4, NULL);
        break;
    }
}

int fake_guest_run(unsigned index, struct kvm_run *run)
{
    struct driver *driver = &drivers[index];
    unsigned left = __atomic_load_n(&exits_left, __ATOMIC_RELAXED);

    if (left == 0) {
        end_machine(run);
        return 0;
    }
    __atomic_store_n(&exits_left, left - 1, __ATOMIC_RELAXED); /* about: two may count as one */
    if (next_random(&driver->random) % 64 == 0)
        return -EINTR;
    if (!set_up(driver, run))
        do_anything(driver, run);
    return 0;
}

/* ---- the host's side ---------------------------------------------------------------------------
 */

struct host {
    struct machine *machine;
    struct event_loop *loop;
    int console, timer;
    unsigned ticks;
    bool ended; /* atomic */
    uint64_t counted, told;
};

static int place(void *opaque, const struct guest_memory *memory, struct error *err)
{
    (void)opaque;
    (void)memory;
    (void)err;
    return 0;
}

static int enter(void *opaque, int vcpu_fd, unsigned index, struct error *err)
{
    (void)opaque;
    (void)vcpu_fd;
    (void)index;
    (void)err;
    return 0;
}

static void count(void *opaque, const char *name, uint64_t value)
{
    struct host *host = opaque;

    (void)name;
    __atomic_fetch_add(&host->counted, value, __ATOMIC_RELAXED);
}

/* As the monitor does: counts are taken by a vCPU thread, too. */
static void take_mark(void *opaque, uint32_t mark)
{
    struct host *host = opaque;

    (void)mark;
    if (__atomic_add_fetch(&marks, 1, __ATOMIC_RELAXED) % 16 == 0)
        machine_visit_counts(host->machine, count, host);
    event_loop_wake(host->loop);
}

static void take_output(void *opaque, const void *data, size_t size)
{
    (void)opaque;
    (void)data;
    (void)size;
}

static void take_line(void *opaque, const char *who, const char *line)
{
    struct host *host = opaque;

    __atomic_fetch_add(&host->told, strlen(who) + strlen(line), __ATOMIC_RELAXED);
}

/* On the I/O loop: what clients command. */
static void on_tick(void *opaque, uint32_t events)
{
    struct host *host = opaque;
    uint64_t expired;

    (void)events;
    if (read(host->timer, &expired, sizeof(expired)) < 0)
        return;
    machine_set_window(host->machine, (uint16_t)++host->ticks, 80);
    machine_visit_counts(host->machine, count, host);
    if (ending == END_STOP && __atomic_load_n(&exits_left, __ATOMIC_RELAXED) == 0)
        machine_stop(host->machine);
}

/* A person at the console. */
static void *use_console(void *opaque)
{
    struct host *host = opaque;
    char bytes[512] = "";

    while (!__atomic_load_n(&host->ended, __ATOMIC_ACQUIRE)) {
        send(host->console, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        recv(host->console, bytes, sizeof(bytes), MSG_DONTWAIT);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return NULL;
}

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "tsan: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int make_disk(void)
{
    int fd = memfd_create("disk", MFD_CLOEXEC);

    require(fd >= 0 && ftruncate(fd, 65536) == 0, "disk");
    return fd;
}

static void run_machine(bool told)
{
    struct fd_table descriptors = {.count = 0};
    const struct machine_loader loader = {.place = place, .enter = enter};
    struct machine_spec spec = {
        .memory_bytes = MEMORY_SIZE,
        .vcpu_count = VCPUS,
        .vsock = true,
        .timed = told,
        .traced = told,
    };
    struct host host = {0};
    struct machine_callbacks callbacks = {
        .opaque = &host,
        .descriptors = &descriptors,
        .loader = &loader,
        .mark = take_mark,
        .console_output = take_output,
        .trace = take_line,
    };
    const struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    struct error err = ERROR_INIT;
    pthread_t person;
    int ends[2];

    for (unsigned i = 0; i < 2; i++)
        require(machine_spec_add_disk(&spec, &descriptors, make_disk(), "disk", false,
                                      i ? "two" : "one", &err) == 0,
                err.text);
    require(fd_table_add(&descriptors, "kvm", kvm_open(&err), &err) == 0, err.text);
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
            "socketpair");
    host.console = ends[0];
    callbacks.console_fd = ends[1];
    host.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    require(event_loop_create(&host.loop, &err) == 0, err.text);
    require(machine_create(&spec, &callbacks, host.loop, &host.machine, &err) == 0, err.text);
    require(timerfd_settime(host.timer, 0, &often, NULL) == 0 &&
                event_loop_watch(host.loop, host.timer, EPOLLIN, on_tick, &host) == 0,
            "timer");
    require(pthread_create(&person, NULL, use_console, &host) == 0, "thread");
    require(machine_start(host.machine, &err) == 0, err.text);
    require(event_loop_run(host.loop, &err) == 0, err.text);
    require(machine_finish(host.machine)->reason ==
                (const enum machine_reason[]){MACHINE_EXIT, MACHINE_PANIC, MACHINE_POWER_OFF,
                                              MACHINE_STOPPED}[ending],
            "the machine ended otherwise");
    machine_visit_counts(host.machine, count, &host);
    __atomic_store_n(&host.ended, true, __ATOMIC_RELEASE);
    pthread_join(person, NULL);
    machine_destroy(host.machine);
    event_loop_destroy(host.loop);
    close(host.timer);
    close(ends[0]);
    close(ends[1]);
    machine_spec_clear(&spec);
    fd_table_close(&descriptors);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 8;
    unsigned exits = argc > 3 ? (unsigned)atoi(argv[3]) : 20000;

    printf("tsan: seed %llu\n", (unsigned long long)seed);
    log_configure(-1, LOG_LEVEL_ERROR);
    alarm(300); /* a machine that does not end */
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < VCPUS; i++)
            drivers[i] = (struct driver){.random = seed + round * VCPUS + i,
                                         .device = (i + round) % DEVICES};
        ending = round % ENDINGS;
        __atomic_store_n(&exits_left, exits, __ATOMIC_RELAXED);
        run_machine(round % 2);
    }
    printf("tsan: %u machines of %d vCPUs, %u exits each, %u marks\n", rounds, VCPUS, exits, marks);
    return 0;
}
