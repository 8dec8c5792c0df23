/* SPDX-License-Identifier: Apache-2.0 */
/* What this host offers to machines: /dev/kvm, its speed class, what it can do. */
#ifndef MICROVM_MACHINE_HOST_CHECK_H
#define MICROVM_MACHINE_HOST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

/* What stands between us and a machine, if anything. */
enum host_kvm {
    HOST_KVM_READY,
    HOST_KVM_MISSING,  /* no /dev/kvm */
    HOST_KVM_DENIED,   /* it may not be opened */
    HOST_KVM_SOFTWARE, /* it answers, but emulates: no Linux boots on it */
};
enum host_kvm host_kvm_state(void);

/* One line that says what is wrong in `state` and how to mend it; "" for HOST_KVM_READY. */
const char *host_kvm_advice(enum host_kvm state);

/* The message of a failed open(2) of /dev/kvm with errno `code`; returns -code. */
int host_kvm_error(int code, struct error *err);

/*
 * Fails with host_kvm_advice() unless /dev/kvm can be opened and can run a Linux. Errors: ENODEV.
 */
int host_require_kvm(struct error *err);

/* Least memory in bytes with which a Linux guest of ours boots. */
uint64_t host_memory_minimum(void);

/* Bytes of memory and swap that this host has. */
uint64_t host_memory_total(void);

struct host_capability {
    const char *name; /* as the kernel's KVM_CAP_... without that beginning */
    const char *what; /* what we need it for */
    bool needed;      /* nothing runs without it; else: slower or less */
    int value;        /* what KVM answers, 0 = absent */
};
#define HOST_CAPABILITIES 8

struct host_kvm_report {
    int api_version; /* KVM's API; 12 on every Linux since 2007 */
    int vcpus_max;   /* of one machine */
    struct host_capability capabilities[HOST_CAPABILITIES];
};

/* Asks /dev/kvm. Errors: those of open(2) and ioctl(2). */
int host_kvm_report(struct host_kvm_report *report, struct error *err);

#endif
