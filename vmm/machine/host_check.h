/* SPDX-License-Identifier: Apache-2.0 */
/* What this host offers to VMs: /dev/kvm, its speed class, its capabilities. */
#ifndef MICROVM_MACHINE_HOST_CHECK_H
#define MICROVM_MACHINE_HOST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

/* Why no VM can run here, if so. */
enum host_kvm {
    HOST_KVM_READY,
    HOST_KVM_MISSING,  /* no /dev/kvm */
    HOST_KVM_DENIED,   /* no permission to open it */
    HOST_KVM_SOFTWARE, /* it works, but emulates: no Linux boots on it */
};
enum host_kvm host_kvm_state(void);

/* One line that says what is wrong in `state` and how to fix it; "" for HOST_KVM_READY. */
const char *host_kvm_advice(enum host_kvm state);

/* The message of a failed open(2) of /dev/kvm with errno `code`; returns -code. */
int host_kvm_error(int code, struct error *err);

/*
 * Fails with host_kvm_advice() unless /dev/kvm can be opened and can run a Linux. Errors: ENODEV.
 */
int host_require_kvm(struct error *err);

/* The minimum memory in bytes with which our Linux guest boots. */
uint64_t host_memory_minimum(void);

/* Bytes of memory and swap that this host has. */
uint64_t host_memory_total(void);

struct host_capability {
    const char *name; /* the kernel's KVM_CAP_... without that prefix */
    const char *what; /* what it is needed for */
    bool needed;      /* nothing runs without it; otherwise slower or with fewer features */
    int value;        /* what KVM returns, 0 = absent */
};
#define HOST_CAPABILITIES 8

struct host_kvm_report {
    int api_version; /* KVM's API; 12 on every Linux since 2007 */
    int vcpus_max;   /* of one VM */
    struct host_capability capabilities[HOST_CAPABILITIES];
};

/* Queries /dev/kvm. Errors: those of open(2) and ioctl(2). */
int host_kvm_report(struct host_kvm_report *report, struct error *err);

#endif
