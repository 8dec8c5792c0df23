/* SPDX-License-Identifier: Apache-2.0 */
/* One vCPU: a KVM descriptor, the thread that runs it, and its counts. */
#ifndef MICROVM_MACHINE_VCPU_LOOP_H
#define MICROVM_MACHINE_VCPU_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/syscall_rule.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/counts.h"
#include "vmm/machine/kvm.h"
#include "vmm/machine/machine_callbacks.h"

struct kvm_run;

enum vcpu_exit {
    VCPU_EXIT_PORT,
    VCPU_EXIT_MMIO,
    VCPU_EXIT_INTERRUPTED, /* by our own signal */
    VCPU_EXIT_OTHER,
    VCPU_EXIT_KINDS
};

/* What all vCPUs of a VM share. */
struct vcpu_shared {
    struct bus ports;
    struct bus memory;
    /* Threads wait at the gate, confined, until all have arrived and it is opened. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned waiting;
    bool open;
    bool timed;
    void *opaque;
    /* Drops what a vCPU thread does not need; NULL = nothing. Called by each thread. */
    int (*confine)(void *opaque, struct error *err);
    /* The guest, or KVM, ended the VM; `text` is for messages, may be empty. vCPU threads. */
    void (*ended)(void *opaque, enum machine_reason reason, const char *text);
};

struct vcpu {
    struct vcpu_shared *shared;
    unsigned index;
    int fd;
    struct kvm_run *run; /* shared with the kernel */
    size_t run_size;
    pthread_t thread;
    bool started;
    bool stopping; /* atomic */
    struct cost exits[VCPU_EXIT_KINDS];
    uint64_t cpu_ns; /* CPU time of its thread, once that has ended; atomic */
};

int vcpu_create(const struct kvm *kvm, unsigned index, struct vcpu_shared *shared,
                struct vcpu *vcpu, struct error *err);
void vcpu_destroy(struct vcpu *vcpu); /* stopped, or never started */

/* Installs a handler for the signal of vcpu_stop(); once in a process, before any start. */
int vcpu_prepare_signal(struct error *err);

/* System calls of a vCPU thread, independent of devices. */
struct syscall_rules vcpu_calls(void);

void vcpu_shared_init(struct vcpu_shared *shared);
void vcpu_shared_destroy(struct vcpu_shared *shared);

/* Starts its thread, which waits at the gate. */
int vcpu_start(struct vcpu *vcpu, struct error *err);
/* Waits until `count` threads are at the gate. */
void vcpu_wait_at_gate(struct vcpu_shared *shared, unsigned count);
/* Lets them run guests, unless they have been stopped. */
void vcpu_open_gate(struct vcpu_shared *shared);
/* Makes the thread leave the guest soon; vcpu_join() waits for it. */
void vcpu_stop(struct vcpu *vcpu);
void vcpu_join(struct vcpu *vcpu);

/*
 * "exits.KIND" (timed: "exits.KIND.ns", too) and "exits", of all `count` vCPUs together, and, once
 * their threads have ended, "inside.cpu_us": the CPU time of the guest, including exits handled by
 * its vCPU threads. Any thread.
 */
void vcpu_visit_counts(const struct vcpu *vcpus, unsigned count, count_visitor *visit,
                       void *opaque);

#endif
