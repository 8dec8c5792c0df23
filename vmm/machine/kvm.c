/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/kvm; see kvm.h. */
#include "vmm/machine/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/machine/host_check.h"

#define KVM_DEVICE "/dev/kvm"

int kvm_open(struct error *err)
{
    int fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);

    return fd < 0 ? host_kvm_error(errno, err) : fd;
}

int kvm_create_vm(unsigned vcpu_count, struct kvm *kvm, struct error *err)
{
    int version;
    int vcpus_max;
    int run_size;

    version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION)
        return error_set(err, ENOSYS, KVM_DEVICE ": has API version %d, but version %d is needed",
                         version, KVM_API_VERSION);
    vcpus_max = vcpu_count > 1 ? ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) : 1;
    if (vcpus_max > 0 && vcpu_count > (unsigned)vcpus_max)
        return error_set(err, ERANGE, "--cpus: %u vCPUs are more than the %d that KVM allows here",
                         vcpu_count, vcpus_max);
    run_size = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size <= 0)
        return error_set_errno(err, errno, "KVM_GET_VCPU_MMAP_SIZE");
    kvm->run_size = (size_t)run_size;
    do
        kvm->vm_fd = ioctl(kvm->fd, KVM_CREATE_VM, 0);
    while (kvm->vm_fd < 0 && errno == EINTR);
    if (kvm->vm_fd < 0)
        return error_set_errno(err, errno, KVM_DEVICE ": cannot create a VM");
    return 0;
}

void kvm_close_device(struct kvm *kvm)
{
    if (kvm->fd >= 0)
        close(kvm->fd);
    kvm->fd = -1;
}

void kvm_close(struct kvm *kvm)
{
    if (kvm->vm_fd >= 0)
        close(kvm->vm_fd);
    kvm->vm_fd = -1;
    kvm_close_device(kvm);
}
