/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run vCPUs and handle their exits.
 *
 * A thread is stopped in three steps, so that there is no race: `stopping` is set, then
 * immediate_exit, which makes the next KVM_RUN return at once, then a signal interrupts a KVM_RUN
 * in progress (Documentation/virt/kvm/api.rst of Linux, 5: immediate_exit).
 */
#include "vmm/machine/vcpu_loop.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"

#define STOP_SIGNAL SIGUSR1
#define STACK_SIZE  (UINT64_C(128) << 10)

int vcpu_create(const struct kvm *kvm, unsigned index, struct vcpu_shared *shared,
                struct vcpu *vcpu, struct error *err)
{
    void *run;

    *vcpu = (struct vcpu){.shared = shared, .index = index};
    vcpu->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
    if (vcpu->fd < 0)
        return error_set_errno(err, errno, "--cpus: KVM_CREATE_VCPU of vCPU %u", index);
    run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED) {
        int code = errno;

        close(vcpu->fd);
        vcpu->fd = -1;
        return error_set_errno(err, code, "mmap of vCPU %u", index);
    }
    vcpu->run = run;
    vcpu->run_size = kvm->run_size;
    return 0;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    munmap(vcpu->run, vcpu->run_size);
    close(vcpu->fd);
}

static void do_nothing(int number)
{
    (void)number;
}

int vcpu_prepare_signal(struct error *err)
{
    const struct sigaction action = {.sa_handler = do_nothing};

    if (sigaction(STOP_SIGNAL, &action, NULL) < 0)
        return error_set_errno(err, errno, "sigaction");
    return 0;
}

static void end(struct vcpu *vcpu, enum machine_reason reason, const char *text)
{
    vcpu->shared->ended(vcpu->shared->opaque, reason, text);
}

static void handle_port(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        if (run->io.direction == KVM_EXIT_IO_OUT)
            bus_write(&vcpu->shared->ports, run->io.port, data, run->io.size);
        else
            bus_read(&vcpu->shared->ports, run->io.port, data, run->io.size);
    }
}

static void handle_mmio(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    if (run->mmio.is_write)
        bus_write(&vcpu->shared->memory, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
    else
        bus_read(&vcpu->shared->memory, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static void handle_system_event(struct vcpu *vcpu)
{
    switch (vcpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        end(vcpu, MACHINE_POWER_OFF, "");
        break;
    case KVM_SYSTEM_EVENT_RESET:
        end(vcpu, MACHINE_RESET, "");
        break;
    default:
        end(vcpu, MACHINE_PANIC, "");
        break;
    }
}

/* What KVM could not do, and where the guest was. */
static void handle_failure(struct vcpu *vcpu, const char *what, unsigned long long detail)
{
    char state[256];
    char text[512];

    arch_vcpu_describe(vcpu->fd, state, sizeof(state));
    snprintf(text, sizeof(text), "vCPU %u: %s (%#llx); %s", vcpu->index, what, detail, state);
    end(vcpu, MACHINE_ERROR, text);
}

static enum vcpu_exit kind_of_exit(uint32_t reason)
{
    switch (reason) {
    case KVM_EXIT_IO:
        return VCPU_EXIT_PORT;
    case KVM_EXIT_MMIO:
        return VCPU_EXIT_MMIO;
    case KVM_EXIT_INTR:
        return VCPU_EXIT_INTERRUPTED;
    default:
        return VCPU_EXIT_OTHER;
    }
}

static void handle_exit(struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        handle_port(vcpu);
        break;
    case KVM_EXIT_MMIO:
        handle_mmio(vcpu);
        break;
    case KVM_EXIT_INTR:
        break;
    case KVM_EXIT_SHUTDOWN:
        end(vcpu, MACHINE_RESET, "");
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        handle_system_event(vcpu);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        handle_failure(vcpu, "the processor cannot enter the guest",
                       run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        handle_failure(vcpu, "internal error of KVM", run->internal.suberror);
        break;
    default:
        handle_failure(vcpu, "unexpected exit reason", run->exit_reason);
        break;
    }
}

static void note_cpu_time(struct vcpu *vcpu)
{
    struct timespec used;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0)
        __atomic_store_n(&vcpu->cpu_ns,
                         (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec,
                         __ATOMIC_RELEASE);
}

/* KVM_RUN has returned with an exit: it is counted before it is handled, since the handler may
 * report the counts. */
static void take_exit(struct vcpu *vcpu)
{
    struct cost *cost = &vcpu->exits[kind_of_exit(vcpu->run->exit_reason)];
    uint64_t begun_ns = cost_begin(vcpu->shared->timed);

    cost_count(cost);
    handle_exit(vcpu);
    cost_end(cost, begun_ns);
}

struct syscall_rules vcpu_calls(void)
{
    /* Part of every exit, so the first of a filter. */
    static const struct syscall_rule rules[] = {
        {__NR_ioctl, SYSCALL_ARGUMENT_IS, 1, KVM_RUN},
    };

    return (struct syscall_rules){rules, ARRAY_LENGTH(rules)};
}

void vcpu_shared_init(struct vcpu_shared *shared)
{
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->changed, NULL);
}

void vcpu_shared_destroy(struct vcpu_shared *shared)
{
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
}

static void pass_gate(struct vcpu_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->waiting++;
    pthread_cond_broadcast(&shared->changed);
    while (!shared->open)
        pthread_cond_wait(&shared->changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
}

void vcpu_wait_at_gate(struct vcpu_shared *shared, unsigned count)
{
    pthread_mutex_lock(&shared->lock);
    while (shared->waiting < count)
        pthread_cond_wait(&shared->changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
}

void vcpu_open_gate(struct vcpu_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->open = true;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

/* A thread that cannot be confined ends the VM before it runs. */
static void confine(struct vcpu *vcpu)
{
    struct error err = ERROR_INIT;

    if (vcpu->shared->confine && vcpu->shared->confine(vcpu->shared->opaque, &err) < 0)
        end(vcpu, MACHINE_ERROR, err.text);
}

static void *run_vcpu(void *opaque)
{
    struct vcpu *vcpu = opaque;

    confine(vcpu);
    pass_gate(vcpu->shared);
    while (!__atomic_load_n(&vcpu->stopping, __ATOMIC_ACQUIRE)) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
            take_exit(vcpu);
        else if (errno == EINTR || errno == EAGAIN)
            cost_count(&vcpu->exits[VCPU_EXIT_INTERRUPTED]);
        else
            handle_failure(vcpu, strerror(errno), (unsigned long long)errno);
    }
    note_cpu_time(vcpu);
    return NULL;
}

int vcpu_start(struct vcpu *vcpu, struct error *err)
{
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);

    if (code != 0)
        return error_set_errno(err, code, "--cpus: thread of vCPU %u", vcpu->index);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    code = pthread_create(&vcpu->thread, &attributes, run_vcpu, vcpu);
    pthread_attr_destroy(&attributes);
    if (code != 0)
        return error_set_errno(err, code, "--cpus: thread of vCPU %u", vcpu->index);
    vcpu->started = true;
    return 0;
}

void vcpu_stop(struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->stopping, true, __ATOMIC_RELEASE);
    if (vcpu->started) {
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELEASE);
        pthread_kill(vcpu->thread, STOP_SIGNAL);
    }
}

void vcpu_join(struct vcpu *vcpu)
{
    if (vcpu->started)
        pthread_join(vcpu->thread, NULL);
    vcpu->started = false;
}

void vcpu_visit_counts(const struct vcpu *vcpus, unsigned count, count_visitor *visit, void *opaque)
{
    static const char *const names[VCPU_EXIT_KINDS] = {
        [VCPU_EXIT_PORT] = "exits.port",
        [VCPU_EXIT_MMIO] = "exits.mmio",
        [VCPU_EXIT_INTERRUPTED] = "exits.interrupted",
        [VCPU_EXIT_OTHER] = "exits.other",
    };
    uint64_t all = 0;
    uint64_t cpu_ns = 0;

    for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++) {
        struct cost sum = {0};

        for (unsigned i = 0; i < count; i++) {
            sum.count += count_load(&vcpus[i].exits[kind].count);
            sum.ns += count_load(&vcpus[i].exits[kind].ns);
        }
        visit(opaque, names[kind], sum.count);
        if (count > 0 && vcpus[0].shared->timed)
            counts_visit(visit, opaque, sum.ns, "%s.ns", names[kind]);
        all += sum.count;
    }
    visit(opaque, "exits", all);
    for (unsigned i = 0; i < count; i++)
        cpu_ns += __atomic_load_n(&vcpus[i].cpu_ns, __ATOMIC_ACQUIRE);
    if (cpu_ns > 0)
        visit(opaque, "inside.cpu_us", cpu_ns / 1000);
}
