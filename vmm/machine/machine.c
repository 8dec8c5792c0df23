/* SPDX-License-Identifier: Apache-2.0 */
/* Build order, start, end and release of a VM; see machine.h. */
#include "vmm/machine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/console/console.h"
#include "devices/doorbell/doorbell.h"
#include "vmm/arch/arch.h"
#include "vmm/machine/devices.h"
#include "vmm/machine/early_serial.h"
#include "vmm/machine/kvm.h"
#include "vmm/machine/linux.h"
#include "vmm/machine/memory.h"
#include "vmm/machine/thread_calls.h"
#include "vmm/machine/vcpu_loop.h"

/* How long devices may write pending output of a guest that has ended; the rest is lost. */
#define DRAIN_MS 1000

struct machine {
    const struct machine_spec *spec;
    struct machine_callbacks host;
    struct event_loop *loop;
    struct kvm kvm;
    struct machine_memory memory;
    struct vcpu_shared shared;
    struct doorbell doorbell;
    struct early_serial early;
    struct devices devices;
    struct linux_guest linux_guest;
    int memory_fd; /* of MACHINE_MEMORY_FILE; -1 = none */
    struct vcpu vcpus[MACHINE_VCPUS_MAX];
    unsigned vcpu_count; /* created so far */
    pthread_mutex_t end_lock;
    bool ended;
    struct machine_end end;
};

/* ---- the end: any thread ---- */

static void record_end(struct machine *machine, enum machine_reason reason, uint8_t status,
                       const char *text)
{
    pthread_mutex_lock(&machine->end_lock);
    if (!machine->ended) {
        machine->ended = true;
        machine->end.reason = reason;
        machine->end.status = status;
        snprintf(machine->end.text, sizeof(machine->end.text), "%s", text);
    }
    pthread_mutex_unlock(&machine->end_lock);
    /* Stops all vCPUs; if this thread is one, it leaves its loop right after. */
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        __atomic_store_n(&machine->vcpus[i].stopping, true, __ATOMIC_RELEASE);
    event_loop_stop(machine->loop);
}

static void vcpu_ended(void *opaque, enum machine_reason reason, const char *text)
{
    record_end(opaque, reason, 0, text);
}

static void doorbell_mark(void *opaque, uint32_t mark)
{
    const struct machine *machine = opaque;

    if (machine->host.mark)
        machine->host.mark(machine->host.opaque, mark);
}

static void trace_doorbell(void *opaque, const char *line)
{
    const struct machine *machine = opaque;
    struct arch_address at = arch_doorbell();
    char who[48];

    snprintf(who, sizeof(who),
             "doorbell (%s 0x%llx):", at.bus == ARCH_BUS_PORT ? "port" : "address",
             (unsigned long long)at.address);
    machine->host.trace(machine->host.opaque, who, line);
}

static void doorbell_exit(void *opaque, uint8_t status)
{
    record_end(opaque, MACHINE_EXIT, status, "");
}

static void doorbell_panic(void *opaque)
{
    record_end(opaque, MACHINE_PANIC, 0, "");
}

/* ---- building ---- */

static void report(const struct machine *machine, enum machine_stage stage)
{
    if (machine->host.stage)
        machine->host.stage(machine->host.opaque, stage);
}

static int build_vcpu(struct machine *machine, const struct arch_vcpu_template *template,
                      unsigned index, struct error *err)
{
    struct vcpu *vcpu = &machine->vcpus[index];
    int rc = vcpu_create(&machine->kvm, index, &machine->shared, vcpu, err);

    if (rc < 0)
        return rc;
    machine->vcpu_count++;
    return arch_vcpu_setup(template, vcpu->fd, index, err);
}

static int build_vcpus(struct machine *machine, struct error *err)
{
    const struct kvm *kvm = &machine->kvm;
    unsigned count = machine->spec->vcpu_count;
    AUTO_VCPU_TEMPLATE struct arch_vcpu_template *template = NULL;
    int rc = arch_vcpu_template_create(kvm->fd, kvm->vm_fd, count, &template, err);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < count; i++) {
        rc = build_vcpu(machine, template, i, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int build_kvm(struct machine *machine, struct error *err)
{
    unsigned count = machine->spec->vcpu_count;
    struct kvm *kvm = &machine->kvm;
    int rc = kvm_create_vm(count, kvm, err);

    if (rc < 0)
        return rc;
    rc = arch_irq_after_vcpus() ? 0 : arch_irq_create(kvm->vm_fd, count, err);
    if (rc < 0)
        return rc;
    rc = build_vcpus(machine, err);
    if (rc < 0)
        return rc;
    return arch_irq_after_vcpus() ? arch_irq_create(kvm->vm_fd, count, err) : 0;
}

static int build_mapping(struct machine *machine, struct error *err)
{
    const struct machine_spec *spec = machine->spec;
    int rc = memory_create(spec->memory_bytes, spec->memory_backing, machine->memory_fd,
                           &machine->memory, err);

    if (rc < 0 && spec->memory_backing == MACHINE_MEMORY_FILE)
        return error_wrap(err, rc, "memory file");
    return rc;
}

/* Filling the memory, in a separate thread: see build_kvm_and_memory(). */
struct memory_build {
    struct machine *machine;
    struct error err;
    int rc;
};

static void *build_memory(void *opaque)
{
    struct memory_build *build = opaque;
    struct machine *machine = build->machine;
    const struct machine_loader *loader = machine->host.loader;
    const struct guest_memory *memory = &machine->memory.guest;

    if (loader)
        build->rc = loader->place(loader->opaque, memory, &build->err);
    else
        build->rc = linux_load(memory, &machine->linux_guest, &build->err);
    return NULL;
}

/*
 * Creating a VM waits for the host's kernel (RCU, its helper thread) about as long as it takes to
 * read a Linux into memory. So both are done in parallel.
 */
static int build_kvm_and_memory(struct machine *machine, struct error *err)
{
    struct memory_build build = {.machine = machine, .err = ERROR_INIT};
    pthread_t thread;
    int rc = build_mapping(machine, err);
    int code;

    if (rc < 0)
        return rc;
    report(machine, MACHINE_STAGE_MEMORY);
    code = pthread_create(&thread, NULL, build_memory, &build);
    if (code != 0)
        return error_set_errno(err, code, "thread");
    rc = build_kvm(machine, err);
    if (rc == 0)
        report(machine, MACHINE_STAGE_KVM);
    pthread_join(thread, NULL);
    if (rc < 0)
        return rc;
    if (build.rc < 0) {
        if (err)
            *err = build.err;
        return build.rc;
    }
    report(machine, MACHINE_STAGE_KERNEL);
    return memory_attach(&machine->memory, machine->kvm.vm_fd, err);
}

static void read_doorbell(void *opaque, uint64_t offset, void *data, uint32_t size)
{
    (void)offset;
    doorbell_read(opaque, data, size);
}

static void write_doorbell(void *opaque, uint64_t offset, const void *data, uint32_t size)
{
    (void)offset;
    doorbell_write(opaque, data, size);
}

static int build_doorbell(struct machine *machine, struct error *err)
{
    struct arch_address at = arch_doorbell();
    const struct bus_range range = {
        .name = "doorbell",
        .base = at.address,
        .size = 4,
        .read = read_doorbell,
        .write = write_doorbell,
        .opaque = &machine->doorbell,
    };

    machine->doorbell.host = (struct doorbell_host){
        .opaque = machine,
        .mark = doorbell_mark,
        .exit = doorbell_exit,
        .panic = doorbell_panic,
        .trace = machine->spec->traced && machine->host.trace ? trace_doorbell : NULL,
    };
    return bus_add(at.bus == ARCH_BUS_PORT ? &machine->shared.ports : &machine->shared.memory,
                   &range, err);
}

static int build_devices(struct machine *machine, struct error *err)
{
    const struct devices_setup setup = {
        .spec = machine->spec,
        .host = &machine->host,
        .memory = &machine->memory.guest,
        .loop = machine->loop,
        .bus = &machine->shared.memory,
        .vm_fd = machine->kvm.vm_fd,
    };
    int rc = build_doorbell(machine, err);

    if (rc < 0)
        return rc;
    if (machine->spec->earlycon) {
        rc = early_serial_create(&machine->host, machine->loop, &machine->shared, &machine->early,
                                 err);
        if (rc < 0)
            return rc;
    }
    return devices_create(&setup, &machine->devices, err);
}

/* The loader sets the vCPUs up. */
static int enter_loaded(struct machine *machine, struct error *err)
{
    const struct machine_loader *loader = machine->host.loader;

    for (unsigned i = 0; i < machine->vcpu_count; i++) {
        int rc = loader->enter(loader->opaque, machine->vcpus[i].fd, i, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Device tree, and the state in which the vCPUs start. */
static int build_start(struct machine *machine, struct error *err)
{
    const struct guest_memory *memory = &machine->memory.guest;
    int rc;

    if (machine->host.loader)
        return enter_loaded(machine, err);
    rc = linux_finish(machine->spec, machine->devices.count, memory, &machine->linux_guest, err);
    if (rc < 0)
        return rc;
    return arch_boot_vcpu(machine->vcpus[0].fd, &machine->linux_guest.boot, memory, err);
}

/* Takes the open files of the table. */
static int take_files(struct machine *machine, struct error *err)
{
    struct fd_table *descriptors = machine->host.descriptors;
    int rc = machine->host.loader
                 ? 0
                 : linux_open(machine->spec, descriptors, &machine->linux_guest, err);

    if (rc < 0)
        return rc;
    machine->kvm.fd = fd_table_take(descriptors, "kvm");
    if (machine->kvm.fd < 0)
        return error_set(err, EINVAL, "no descriptor of /dev/kvm");
    if (machine->spec->memory_backing != MACHINE_MEMORY_FILE)
        return 0;
    machine->memory_fd = fd_table_take(descriptors, "memory");
    return machine->memory_fd < 0 ? error_set(err, EINVAL, "no descriptor of the memory's file")
                                  : 0;
}

static int build(struct machine *machine, struct error *err)
{
    int rc = take_files(machine, err);

    if (rc < 0)
        return rc;
    rc = build_kvm_and_memory(machine, err);
    linux_close(&machine->linux_guest);
    if (rc < 0)
        return rc;
    rc = build_devices(machine, err);
    if (rc < 0)
        return rc;
    report(machine, MACHINE_STAGE_DEVICES);
    rc = build_start(machine, err);
    if (rc < 0)
        return rc;
    report(machine, MACHINE_STAGE_TREE);
    kvm_close_device(&machine->kvm);
    return vcpu_prepare_signal(err);
}

/* ---- system calls of its threads ---- */

static int confine_vcpu(void *opaque, struct error *err)
{
    const struct machine *machine = opaque;
    struct thread_calls calls;

    thread_calls_begin(&calls, MACHINE_THREAD_VCPU);
    devices_add_calls(&machine->devices, MACHINE_THREAD_VCPU, &calls);
    return machine->host.confine(machine->host.opaque, MACHINE_THREAD_VCPU, calls.lists,
                                 calls.count, err);
}

static int confine_loop(const struct machine *machine, struct error *err)
{
    struct thread_calls calls;

    thread_calls_begin(&calls, MACHINE_THREAD_LOOP);
    devices_add_calls(&machine->devices, MACHINE_THREAD_LOOP, &calls);
    return machine->host.confine(machine->host.opaque, MACHINE_THREAD_LOOP, calls.lists,
                                 calls.count, err);
}

int machine_create(const struct machine_spec *spec, const struct machine_callbacks *host,
                   struct event_loop *loop, struct machine **machine, struct error *err)
{
    struct machine *made = calloc(1, sizeof(*made));
    int rc;

    if (!made)
        return error_set_errno(err, ENOMEM, "machine");
    made->spec = spec;
    made->host = *host;
    made->loop = loop;
    made->kvm = (struct kvm)KVM_INIT;
    made->early = (struct early_serial)EARLY_SERIAL_INIT;
    made->linux_guest = (struct linux_guest)LINUX_GUEST_INIT;
    made->memory_fd = -1;
    made->shared.timed = made->shared.ports.timed = made->shared.memory.timed = spec->timed;
    made->shared.opaque = made;
    made->shared.ended = vcpu_ended;
    if (host->confine)
        made->shared.confine = confine_vcpu;
    pthread_mutex_init(&made->end_lock, NULL);
    vcpu_shared_init(&made->shared);
    rc = build(made, err);
    if (rc < 0) {
        machine_destroy(made);
        return rc;
    }
    *machine = made;
    return 0;
}

/* ---- running ---- */

static void stop_vcpus(struct machine *machine)
{
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vcpu_stop(&machine->vcpus[i]);
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vcpu_join(&machine->vcpus[i]);
}

static int start_vcpus(struct machine *machine, struct error *err)
{
    for (unsigned i = 0; i < machine->vcpu_count; i++) {
        int rc = vcpu_start(&machine->vcpus[i], err);

        if (rc < 0)
            return rc;
    }
    vcpu_wait_at_gate(&machine->shared, machine->vcpu_count);
    return machine->host.confine ? confine_loop(machine, err) : 0;
}

int machine_start(struct machine *machine, struct error *err)
{
    int rc = start_vcpus(machine, err);

    for (unsigned i = 0; rc < 0 && i < machine->vcpu_count; i++)
        vcpu_stop(&machine->vcpus[i]);
    vcpu_open_gate(&machine->shared);
    return rc;
}

void machine_stop(struct machine *machine)
{
    record_end(machine, MACHINE_STOPPED, 0, "");
    event_loop_cut(machine->loop);
}

const struct machine_end *machine_finish(struct machine *machine)
{
    record_end(machine, MACHINE_STOPPED, 0, ""); /* a loop that failed also ends the VM */
    stop_vcpus(machine);
    event_loop_drain(machine->loop, DRAIN_MS);
    return &machine->end;
}

void machine_destroy(struct machine *machine)
{
    if (!machine)
        return;
    stop_vcpus(machine);
    devices_destroy(&machine->devices);
    early_serial_destroy(&machine->early);
    linux_release(&machine->linux_guest);
    if (machine->memory_fd >= 0)
        close(machine->memory_fd);
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vcpu_destroy(&machine->vcpus[i]);
    kvm_close(&machine->kvm);
    memory_destroy(&machine->memory);
    pthread_mutex_destroy(&machine->end_lock);
    vcpu_shared_destroy(&machine->shared);
    free(machine);
}

void machine_set_window(struct machine *machine, uint16_t rows, uint16_t columns)
{
    const struct device *console = devices_find(&machine->devices, "console");

    if (console)
        console_set_size(console->virtio, columns, rows);
}

void machine_visit_counts(const struct machine *machine, count_visitor *visit, void *opaque)
{
    vcpu_visit_counts(machine->vcpus, machine->vcpu_count, visit, opaque);
    bus_visit_counts(&machine->shared.ports, "unclaimed.port", visit, opaque);
    bus_visit_counts(&machine->shared.memory, "unclaimed.mmio", visit, opaque);
    devices_visit_counts(&machine->devices, visit, opaque);
    visit(opaque, "bytes.copied", machine->linux_guest.boot.bytes_copied);
}
