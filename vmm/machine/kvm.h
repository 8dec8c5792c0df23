/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/kvm and one VM, with errors that say what is missing. */
#ifndef MICROVM_MACHINE_KVM_H
#define MICROVM_MACHINE_KVM_H

#include <stddef.h>

#include "vmm/base/error.h"

struct kvm {
    int fd;          /* /dev/kvm */
    int vm_fd;       /* the VM */
    size_t run_size; /* bytes of a vCPU's shared page(s) */
};

#define KVM_INIT                                                                                   \
    {                                                                                              \
        -1, -1, 0                                                                                  \
    }

/* Opens /dev/kvm; the caller closes it. Errors: ENOENT (no KVM), EACCES, those of open(2). */
int kvm_open(struct error *err);

/*
 * Creates a VM for `vcpu_count` vCPUs. Errors: ENOSYS (unknown API version), ERANGE (too many
 * vCPUs), those of ioctl(2).
 */
int kvm_create_vm(unsigned vcpu_count, struct kvm *kvm, struct error *err);
/* Closes /dev/kvm, so that no further VM can be created: the existing one goes on. */
void kvm_close_device(struct kvm *kvm);
void kvm_close(struct kvm *kvm);

#endif
