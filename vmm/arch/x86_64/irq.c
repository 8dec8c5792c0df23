/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controllers, all in the kernel: local APICs, IO-APIC and the old PIC
 * (whose ports Linux probes, so that these accesses do not exit either). No PIT.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"

int arch_irq_create(int vm_fd, unsigned vcpu_count, struct error *err)
{
    uint64_t identity = LAYOUT_KVM_IDENTITY;

    (void)vcpu_count;
    /* Pages that processors without "unrestricted guest" need while a vCPU is in real mode. */
    if (ioctl(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
        return error_set_errno(err, errno, "KVM_SET_IDENTITY_MAP_ADDR");
    if (ioctl(vm_fd, KVM_SET_TSS_ADDR, (unsigned long)LAYOUT_KVM_TASK_STATE) < 0)
        return error_set_errno(err, errno, "KVM_SET_TSS_ADDR");
    if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
        return error_set_errno(err, errno, "KVM_CREATE_IRQCHIP");
    return 0;
}

bool arch_irq_after_vcpus(void)
{
    return false;
}
