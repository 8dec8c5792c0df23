/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine on a real KVM, without a Linux in it: a bare-metal guest (guest/) uses and
 * misuses ports, registers, doorbell and devices, case by case, and the host looks at what came of
 * it. Small enough for a software KVM.
 */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/virtio/device.h"
#include "tests/guests/cases.h"
#include "tests/guests/files.h"
#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"
#include "vmm/base/log.h"
#include "vmm/machine/kvm.h"
#include "vmm/machine/machine.h"

#define MIDDLE_TABLE     0xa000U /* as arch_boot_finish() leaves it: its first entry maps 1 GiB */
#define DEVICE_TABLE     0xc000U /* for 3 to 4 GiB, where registers are */
#define MARKS_MAX        16
#define HOLDER_DISK_SIZE (INT64_C(8) << 30) /* nearly all of it a hole */

/* One run of the guest, and what came of it. */
struct run {
    enum guest_case which;
    unsigned vcpus;         /* 0 = 1 */
    unsigned stop_after_ms; /* 0 = never */
    enum machine_memory_backing backing;
    int memory_fd; /* of shared memory, kept when the machine is gone */
    bool holds;    /* a guest that gives endless work: it is stopped at its first mark */
    struct machine_end end;
    uint32_t marks[MARKS_MAX];
    unsigned mark_count;
    char console[256];
    size_t console_size;
    uint64_t exits, mmio_exits, entropy_kicks, unclaimed_port, doorbell_writes;
    char disk[DISK_SIZE];
    /* Of a guest that holds. */
    struct machine *machine;
    int mark_event;
    uint64_t bytes; /* moved for it in all, by the device of its case */
    uint64_t bytes_at_mark, bytes_at_stop;
    bool stopped;
};

static const struct arch_boot_input nothing = {
    .kernel_fd = -1, .initramfs_fd = -1, .command_line = ""};

static int place(void *opaque, const struct guest_memory *memory, struct error *err)
{
    struct run *run = opaque;
    struct arch_boot boot = {0};
    uint64_t entries[512];

    assert_int_equal(memory->shared, run->backing == MACHINE_MEMORY_MEMFD);
    if (memory->shared)
        run->memory_fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
    if (run->backing != MACHINE_MEMORY_FILE) /* there it is in the file */
        assert_true(
            guest_memory_write(memory, GUEST_ADDR(GUEST_ADDRESS), guest_image, files_image_size()));
    assert_int_equal(arch_boot_finish(&nothing, memory, 0, &boot, err), 0);
    for (uint64_t i = 0; i < 512; i++)
        entries[i] =
            (UINT64_C(3) << 30) + (i << 21) + 0x9b; /* present, writable, large, uncached */
    assert_true(guest_memory_write(memory, GUEST_ADDR(DEVICE_TABLE), entries, sizeof(entries)));
    entries[0] = DEVICE_TABLE | 3;
    return guest_memory_write(memory, GUEST_ADDR(MIDDLE_TABLE + 3 * 8), entries, 8) ? 0 : -EFAULT;
}

static int enter(void *opaque, int vcpu_fd, unsigned index, struct error *err)
{
    const struct run *run = opaque;
    const struct arch_boot boot = {.entry = GUEST_ADDRESS, .boot_data = run->which};

    return index == 0 ? arch_boot_vcpu(vcpu_fd, &boot, NULL, err) : 0;
}

static void add_bytes(void *opaque, const char *name, uint64_t value)
{
    uint64_t *sum = opaque;

    if (strcmp(name, "block.bytes") == 0 || strcmp(name, "console.bytes") == 0)
        *sum += value;
}

static uint64_t count_bytes(const struct run *run)
{
    uint64_t sum = 0;

    machine_visit_counts(run->machine, add_bytes, &sum);
    return sum;
}

/* From here on, how far does the I/O loop go? Counted after it has been told: before, this thread
 * may have to wait, and nobody could have stopped what is done meanwhile. */
static void ask_for_a_stop(struct run *run)
{
    const uint64_t one = 1;

    if (run->mark_count > 1)
        return;
    assert_int_equal(write(run->mark_event, &one, sizeof(one)), sizeof(one));
    run->bytes_at_mark = count_bytes(run);
}

static void stop_the_holder(void *opaque, uint32_t events)
{
    struct run *run = opaque;

    (void)events;
    if (!run->stopped)
        run->bytes_at_stop = count_bytes(run);
    run->stopped = true;
    machine_stop(run->machine);
}

static void take_mark(void *opaque, uint32_t mark)
{
    struct run *run = opaque;

    if (run->mark_count < MARKS_MAX)
        run->marks[run->mark_count++] = mark;
    if (run->holds)
        ask_for_a_stop(run);
}

static void take_console(void *opaque, const void *data, size_t size)
{
    struct run *run = opaque;

    if (run->holds)
        return;
    assert_true(size <= sizeof(run->console) - run->console_size);
    memcpy(run->console + run->console_size, data, size);
    run->console_size += size;
}

static void take_count(void *opaque, const char *name, uint64_t value)
{
    struct run *run = opaque;

    if (strcmp(name, "exits") == 0)
        run->exits = value;
    else if (strcmp(name, "exits.mmio") == 0)
        run->mmio_exits = value;
    else if (strcmp(name, "entropy.kicks") == 0)
        run->entropy_kicks = value;
    else if (strcmp(name, "unclaimed.port") == 0)
        run->unclaimed_port = value;
    else if (strcmp(name, "doorbell.writes") == 0)
        run->doorbell_writes = value;
}

struct alarm {
    struct machine *machine;
    int fd;
};

static void stop_machine(void *opaque, uint32_t events)
{
    const struct alarm *alarm = opaque;

    (void)events;
    machine_stop(alarm->machine);
}

/* A minute is for a guest that hangs: its run then ends as "stopped", which no test expects. */
static void set_alarm(struct event_loop *loop, struct alarm *alarm, unsigned after_ms)
{
    const unsigned ms = after_ms ? after_ms : 60000;
    const struct itimerspec when = {.it_value = {ms / 1000, ms % 1000 * 1000000L}};

    alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    assert_int_equal(timerfd_settime(alarm->fd, 0, &when, NULL), 0);
    assert_int_equal(event_loop_watch(loop, alarm->fd, EPOLLIN | EPOLLET, stop_machine, alarm), 0);
}

static void run_guest(struct run *run)
{
    const struct machine_loader loader = {.opaque = run, .place = place, .enter = enter};
    struct machine_callbacks host = {
        .opaque = run,
        .console_fd = -1,
        .loader = &loader,
        .mark = take_mark,
        .console_output = take_console,
    };
    struct fd_table descriptors = {.count = 0};
    struct machine_spec spec = {
        .memory_bytes = MEMORY_SIZE,
        .memory_backing = run->backing,
        .vcpu_count = run->vcpus ? run->vcpus : 1,
        .vsock = true,
        .timed = run->holds, /* counts bytes */
    };
    struct error err = ERROR_INIT;
    struct event_loop *loop = NULL;
    struct alarm alarm = {0};
    int memory = -1;
    int disk = files_make_disk(run->holds ? HOLDER_DISK_SIZE : DISK_SIZE);

    if (machine_spec_add_disk(&spec, &descriptors, fcntl(disk, F_DUPFD_CLOEXEC, 0), "disk", false,
                              "test", &err) < 0 ||
        fd_table_add(&descriptors, "kvm", kvm_open(&err), &err) < 0)
        fail_msg("%s", err.text);
    if (run->backing == MACHINE_MEMORY_FILE) {
        memory = files_make_memory();
        assert_int_equal(
            fd_table_add(&descriptors, "memory", fcntl(memory, F_DUPFD_CLOEXEC, 0), &err), 0);
    }
    host.descriptors = &descriptors;
    assert_int_equal(event_loop_create(&loop, &err), 0);
    if (machine_create(&spec, &host, loop, &alarm.machine, &err) < 0)
        fail_msg("%s", err.text);
    set_alarm(loop, &alarm, run->stop_after_ms);
    run->machine = alarm.machine;
    run->mark_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(event_loop_watch(loop, run->mark_event, EPOLLIN, stop_the_holder, run), 0);
    event_loop_make_urgent(loop, run->mark_event);
    assert_int_equal(machine_start(alarm.machine, &err), 0);
    assert_int_equal(event_loop_run(loop, &err), 0);
    run->end = *machine_finish(alarm.machine);
    machine_visit_counts(alarm.machine, take_count, run);
    run->bytes = count_bytes(run);
    machine_destroy(alarm.machine);
    close(alarm.fd);
    close(run->mark_event);
    event_loop_destroy(loop);
    assert_int_equal(pread(disk, run->disk, sizeof(run->disk), 0), sizeof(run->disk));
    close(disk);
    if (memory >= 0) {
        files_expect_memory_unchanged(memory);
        close(memory);
    }
    fd_table_close(&descriptors);
    machine_spec_clear(&spec);
}

/* Runs a case that ends with status 0. */
static void run_well(struct run *run)
{
    run_guest(run);
    if (run->end.reason == MACHINE_EXIT && run->end.status == GUEST_FAILED)
        fail_msg("guest/: the check in line %u failed",
                 run->mark_count ? run->marks[run->mark_count - 1] : 0);
    if (run->end.reason == MACHINE_STOPPED)
        fail_msg("stopped after a minute: guest/ waits for what does not come");
    if (run->end.reason != MACHINE_EXIT || run->end.status != 0)
        fail_msg("ended with reason %d, status %u, '%s'", (int)run->end.reason, run->end.status,
                 run->end.text);
}

static void simple_case(enum guest_case which)
{
    struct run run = {.which = which};

    run_well(&run);
}

/* It runs in it, devices write to it, and it is interrupted. */
static void runs_in_each_kind_of_memory(void **state)
{
    static const enum machine_memory_backing backings[] = {
        MACHINE_MEMORY_ANONYMOUS, MACHINE_MEMORY_MEMFD, MACHINE_MEMORY_FILE};
    static const enum guest_case cases[] = {CASE_ENTROPY_INTERRUPT, CASE_BLOCK};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(backings) * ARRAY_LENGTH(cases); i++) {
        struct run run = {.which = cases[i % ARRAY_LENGTH(cases)],
                          .backing = backings[i / ARRAY_LENGTH(cases)]};
        char seen[16];

        run_well(&run);
        if (run.backing != MACHINE_MEMORY_MEMFD)
            continue;
        assert_int_equal(pread(run.memory_fd, seen, sizeof(seen), GUEST_ADDRESS), sizeof(seen));
        assert_memory_equal(seen, guest_image, sizeof(seen));
        close(run.memory_fd);
    }
}

static void exit_status_comes_out(void **state)
{
    struct run run = {.which = CASE_EXIT_42};

    (void)state;
    run_guest(&run);
    assert_int_equal(run.end.reason, MACHINE_EXIT);
    assert_int_equal(run.end.status, 42);
}

static void doorbell_calls_are_told(void **state)
{
    struct run run = {.which = CASE_DOORBELL};

    (void)state;
    run_well(&run);
    assert_int_equal(run.mark_count, 2);
    assert_int_equal(run.marks[0], 1);
    assert_int_equal(run.marks[1], 0xffffff);
    assert_true(run.doorbell_writes >= 16);
}

static void panic_is_told(void **state)
{
    struct run run = {.which = CASE_PANIC};

    (void)state;
    run_guest(&run);
    assert_int_equal(run.end.reason, MACHINE_PANIC);
}

static void ports_answer(void **state)
{
    struct run run = {.which = CASE_PORTS};

    (void)state;
    run_well(&run);
    assert_int_equal(run.unclaimed_port, 6);
}

static void registers_answer(void **state)
{
    (void)state;
    simple_case(CASE_REGISTERS);
}

/* A thousand notifications by eventfd: far fewer exits, and the device sees at least one. */
static void notification_does_not_exit(void **state)
{
    struct run run = {.which = CASE_NOTIFY_WITHOUT_EXIT};

    (void)state;
    run_well(&run);
    assert_in_range(run.mmio_exits, 10, GUEST_NOTIFICATIONS / 4);
    assert_in_range(run.entropy_kicks, 1, GUEST_NOTIFICATIONS + 10);
}

static void entropy_arrives(void **state)
{
    (void)state;
    simple_case(CASE_ENTROPY_POLLED);
}

static void interrupt_arrives(void **state)
{
    (void)state;
    simple_case(CASE_ENTROPY_INTERRUPT);
}

static void block_reads_and_writes(void **state)
{
    struct run run = {.which = CASE_BLOCK};

    (void)state;
    run_well(&run);
    for (unsigned i = 0; i < DISK_SIZE; i++)
        assert_int_equal(run.disk[i], i / 512 == 3 ? 'g' : 'z');
}

static void output_before_exit_is_not_lost(void **state)
{
    struct run run = {.which = CASE_CONSOLE_THEN_EXIT};

    (void)state;
    run_well(&run);
    assert_int_equal(run.console_size, strlen(GUEST_GREETING));
    assert_memory_equal(run.console, GUEST_GREETING, strlen(GUEST_GREETING));
}

static void hostile_chains_fail_their_device_only(void **state)
{
    (void)state;
    simple_case(CASE_HOSTILE_CHAINS);
}

static void hostile_queues_are_survived(void **state)
{
    (void)state;
    simple_case(CASE_HOSTILE_QUEUES);
}

static void notify_storm_is_survived(void **state)
{
    (void)state;
    simple_case(CASE_NOTIFY_STORM);
}

static void reset_during_use_is_survived(void **state)
{
    (void)state;
    simple_case(CASE_RESET_DURING_USE);
}

static void random_registers_are_survived(void **state)
{
    (void)state;
    simple_case(CASE_RANDOM_REGISTERS);
}

static void triple_fault_is_a_reset(void **state)
{
    struct run run = {.which = CASE_TRIPLE_FAULT};

    (void)state;
    run_guest(&run);
    assert_int_equal(run.end.reason, MACHINE_RESET);
}

static void busy_and_halted_guests_can_be_stopped(void **state)
{
    struct run halted = {.which = CASE_HALT, .stop_after_ms = 300};
    struct run busy = {.which = CASE_SPIN, .stop_after_ms = 300};

    (void)state;
    run_guest(&halted);
    assert_int_equal(halted.end.reason, MACHINE_STOPPED);
    assert_int_equal(halted.mark_count, 1);
    run_guest(&busy);
    assert_int_equal(busy.end.reason, MACHINE_STOPPED);
    assert_int_equal(busy.mark_count, 1);
}

static void what_kvm_cannot_do_is_an_error_that_says_where(void **state)
{
    struct run run = {.which = CASE_RUN_OUTSIDE_OF_MEMORY};

    (void)state;
    run_guest(&run);
    assert_int_equal(run.end.reason, MACHINE_ERROR);
    assert_non_null(strstr(run.end.text, "rip 0xc1000000"));
}

static void second_processor_starts(void **state)
{
    struct run run = {.which = CASE_TWO_PROCESSORS, .vcpus = 2};

    (void)state;
    run_well(&run);
}

/*
 * Hundreds of GiB are asked for, and the machine is told to stop: the turn that is under way ends,
 * one more may have begun, and after the stop nothing moves.
 */
static void nobody_holds_the_monitor(void **state)
{
    static const enum guest_case holders[] = {CASE_HOLD_BY_READING, CASE_HOLD_BY_DISCARDING,
                                              CASE_HOLD_BY_ZEROING, CASE_HOLD_BY_CONSOLE,
                                              CASE_HOLD_BY_EXITS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(holders); i++) {
        struct run run = {.which = holders[i], .holds = true};

        run_guest(&run);
        assert_int_equal(run.end.reason, MACHINE_STOPPED);
        assert_true(run.stopped);
        assert_true(run.bytes_at_stop <=
                    run.bytes_at_mark + 2 * (VIRTIO_TURN_BYTES + VIRTIO_SLICE_MAX));
        assert_int_equal(run.bytes, run.bytes_at_stop);
    }
}

/* No other thread is there that would keep what this one drops. */
static void privileges_are_dropped_before_there_are_threads(void **state)
{
    struct run run = {.which = CASE_EXIT_42};

    (void)state;
    run_guest(&run);
}

/* What KVM itself has in a model-specific register of a new vCPU. */
static uint64_t fresh_register(uint32_t index)
{
    struct {
        struct kvm_msrs header;
        struct kvm_msr_entry entry;
    } msr = {.header.nmsrs = 1, .entry.index = index};
    int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    int vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);

    assert_true(vcpu_fd >= 0);
    assert_true(ioctl(vcpu_fd, KVM_GET_MSRS, &msr) >= 0);
    close(vcpu_fd);
    close(vm_fd);
    close(kvm_fd);
    return msr.entry.data;
}

static void a_guest_knows_what_it_is_and_has(void **state)
{
    struct run run = {.which = CASE_IDENTITY};
    uint32_t name[4] = {0};

    (void)state;
    run_well(&run);
    assert_int_equal(run.mark_count, 13);
    assert_int_equal(run.marks[0], (fresh_register(0x1a0) | 1) & 0xffffff);
    for (unsigned i = 0; i < 12; i++) {
        if (i % 4 == 0)
            __get_cpuid(0x80000002 + i / 4, &name[0], &name[1], &name[2], &name[3]);
        assert_int_equal(run.marks[1 + i], name[i % 4] & 0xffffff);
    }
}

static void too_many_vcpus_are_refused(void **state)
{
    const struct run run = {.which = CASE_EXIT_42};
    const struct machine_loader loader = {
        .opaque = (void *)(uintptr_t)&run, .place = place, .enter = enter};
    struct fd_table descriptors = {.count = 0};
    const struct machine_callbacks host = {
        .descriptors = &descriptors, .console_fd = -1, .loader = &loader};
    const struct machine_spec spec = {.memory_bytes = MEMORY_SIZE, .vcpu_count = 100000};
    struct machine *machine = NULL;
    struct event_loop *loop = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(fd_table_add(&descriptors, "kvm", kvm_open(&err), &err), 0);
    assert_int_equal(event_loop_create(&loop, &err), 0);
    assert_int_equal(machine_create(&spec, &host, loop, &machine, &err), -ERANGE);
    assert_non_null(strstr(err.text, "--cpus"));
    assert_null(machine);
    event_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_status_comes_out),
        cmocka_unit_test(runs_in_each_kind_of_memory),
        cmocka_unit_test(doorbell_calls_are_told),
        cmocka_unit_test(panic_is_told),
        cmocka_unit_test(ports_answer),
        cmocka_unit_test(registers_answer),
        cmocka_unit_test(notification_does_not_exit),
        cmocka_unit_test(entropy_arrives),
        cmocka_unit_test(interrupt_arrives),
        cmocka_unit_test(block_reads_and_writes),
        cmocka_unit_test(output_before_exit_is_not_lost),
        cmocka_unit_test(hostile_chains_fail_their_device_only),
        cmocka_unit_test(hostile_queues_are_survived),
        cmocka_unit_test(notify_storm_is_survived),
        cmocka_unit_test(reset_during_use_is_survived),
        cmocka_unit_test(random_registers_are_survived),
        cmocka_unit_test(triple_fault_is_a_reset),
        cmocka_unit_test(busy_and_halted_guests_can_be_stopped),
        cmocka_unit_test(what_kvm_cannot_do_is_an_error_that_says_where),
        cmocka_unit_test(second_processor_starts),
        cmocka_unit_test(nobody_holds_the_monitor),
        cmocka_unit_test(privileges_are_dropped_before_there_are_threads),
        cmocka_unit_test(a_guest_knows_what_it_is_and_has),
        cmocka_unit_test(too_many_vcpus_are_refused),
    };

    log_configure(2, LOG_LEVEL_ERROR); /* devices warn of each hostile driver */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
