/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/kvm and one virtual machine in it, with errors that say what is missing. */
#ifndef MICROVM_MACHINE_KVM_H
#define MICROVM_MACHINE_KVM_H

#include <stddef.h>

#include "vmm/base/error.h"

struct kvm {
    int fd;          /* /dev/kvm */
    int vm_fd;       /* the virtual machine */
    size_t run_size; /* bytes of a vCPU's shared page(s) */
};

#define KVM_INIT                                                                                   \
    {                                                                                              \
        -1, -1, 0                                                                                  \
    }

/* Opens /dev/kvm; the caller closes it. Errors: ENOENT (no KVM), EACCES, those of open(2). */
int kvm_open(struct error *err);

/*
 * Makes a VM in which `vcpu_count` vCPUs are allowed. Errors: ENOSYS (not the interface we know),
 * ERANGE (too many vCPUs), what KVM says.
 */
int kvm_create_vm(unsigned vcpu_count, struct kvm *kvm, struct error *err);
/* Closes /dev/kvm, with which further VMs could be made: the one that there is goes on. */
void kvm_close_device(struct kvm *kvm);
void kvm_close(struct kvm *kvm);

#endif
