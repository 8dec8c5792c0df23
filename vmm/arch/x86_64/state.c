/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a vCPU, for reports of internal errors; the class of the host's KVM. */
#include <cpuid.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"

struct syscall_rules arch_vcpu_calls(void)
{
    static const struct syscall_rule rules[] = {
        {__NR_ioctl, SYSCALL_ARGUMENT_IS, 1, KVM_GET_REGS},
        {__NR_ioctl, SYSCALL_ARGUMENT_IS, 1, KVM_GET_SREGS},
    };

    return (struct syscall_rules){rules, ARRAY_LENGTH(rules)};
}

void arch_vcpu_describe(int vcpu_fd, char *text, size_t size)
{
    struct kvm_regs regs = {0};
    struct kvm_sregs sregs = {0};

    if (ioctl(vcpu_fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0) {
        snprintf(text, size, "cannot read its registers");
        return;
    }
    snprintf(text, size, "rip %#llx rsp %#llx cr0 %#llx cr2 %#llx cr3 %#llx cr4 %#llx efer %#llx",
             regs.rip, regs.rsp, sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4, sregs.efer);
}

/* Without VMX and SVM, KVM is emulated in software. */
enum arch_kvm_class arch_kvm_class(void)
{
    unsigned a, b, c, d;

    if (__get_cpuid(1, &a, &b, &c, &d) && c & 1U << 5)
        return ARCH_KVM_HARDWARE;
    if (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1U << 2)
        return ARCH_KVM_HARDWARE;
    return ARCH_KVM_SOFTWARE;
}

const struct arch_capability arch_capabilities[ARCH_CAPABILITIES] = {
    {"TSC_DEADLINE_TIMER", "the guest's timer", KVM_CAP_TSC_DEADLINE_TIMER, true},
    {"GET_TSC_KHZ", "a guest that need not calibrate", KVM_CAP_GET_TSC_KHZ, false},
};
