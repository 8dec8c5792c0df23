/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: what this host offers to machines; see host_check.h. */
#include "vmm/machine/host_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

enum host_kvm host_kvm_state(void)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        return errno == EACCES || errno == EPERM ? HOST_KVM_DENIED : HOST_KVM_MISSING;
    return arch_kvm_class() == ARCH_KVM_HARDWARE ? HOST_KVM_READY : HOST_KVM_SOFTWARE;
}

const char *host_kvm_advice(enum host_kvm state)
{
    switch (state) {
    case HOST_KVM_READY:
        break;
    case HOST_KVM_MISSING:
        return "/dev/kvm: does not exist; switch virtualization on in the firmware and load the "
               "module kvm_intel or kvm_amd, or use the development host: "
               "tests/devhost/devhost run -- microvm ...";
    case HOST_KVM_DENIED:
        return "/dev/kvm: no permission; join the group kvm ('sudo usermod -aG kvm $USER', then "
               "log in again), or use sudo";
    case HOST_KVM_SOFTWARE:
        return "/dev/kvm: is a software KVM, which cannot run Linux; use the development host: "
               "tests/devhost/devhost run -- microvm ...";
    }
    return "";
}

int host_require_kvm(bool linux_guest, struct error *err)
{
    enum host_kvm state = host_kvm_state();

    if (state == HOST_KVM_READY || (state == HOST_KVM_SOFTWARE && !linux_guest))
        return 0;
    return error_set(err, ENODEV, "%s", host_kvm_advice(state));
}

uint64_t host_memory_total(void)
{
    struct sysinfo info;

    /* It has no errors but of its argument. */
    return sysinfo(&info) < 0 ? 0 : ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

uint64_t host_memory_minimum(void)
{
    return arch_memory_minimum();
}

int host_kvm_report(struct host_kvm_report *report, struct error *err)
{
    static const struct {
        int number;
        struct host_capability capability;
    } asked[HOST_CAPABILITIES] = {
        {KVM_CAP_USER_MEMORY, {"USER_MEMORY", "guest memory", true, 0}},
        {KVM_CAP_IRQCHIP, {"IRQCHIP", "interrupt controller in the kernel", true, 0}},
        {KVM_CAP_IOEVENTFD, {"IOEVENTFD", "queue notifications", true, 0}},
        {KVM_CAP_IRQFD, {"IRQFD", "interrupts from the I/O loop", true, 0}},
        {KVM_CAP_IMMEDIATE_EXIT, {"IMMEDIATE_EXIT", "stopping a vCPU at once", true, 0}},
        {KVM_CAP_MP_STATE, {"MP_STATE", "starting further vCPUs", true, 0}},
#ifdef __x86_64__
        {KVM_CAP_TSC_DEADLINE_TIMER, {"TSC_DEADLINE_TIMER", "the guest's timer", true, 0}},
        {KVM_CAP_GET_TSC_KHZ, {"GET_TSC_KHZ", "a guest that need not calibrate", false, 0}},
#else
        {KVM_CAP_ARM_PSCI_0_2, {"ARM_PSCI_0_2", "starting and stopping vCPUs", true, 0}},
        {KVM_CAP_ONE_REG, {"ONE_REG", "registers of a vCPU", true, 0}},
#endif
    };
    AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, errno, "/dev/kvm");
    report->api_version = ioctl(fd, KVM_GET_API_VERSION, 0);
    report->vcpus_max = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
    if (report->api_version < 0 || report->vcpus_max < 0)
        return error_set_errno(err, errno, "/dev/kvm");
    for (size_t i = 0; i < HOST_CAPABILITIES; i++) {
        report->capabilities[i] = asked[i].capability;
        report->capabilities[i].value = ioctl(fd, KVM_CHECK_EXTENSION, asked[i].number);
    }
    return 0;
}
