/* SPDX-License-Identifier: Apache-2.0 */
/* What this host offers to VMs; see host_check.h. */
#include "vmm/machine/host_check.h"

#include <errno.h>
#include <fcntl.h>
#include <gen/architecture.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

/* What a failure of open(2) of /dev/kvm means. */
static enum host_kvm state_of(int code)
{
    return code == EACCES || code == EPERM ? HOST_KVM_DENIED : HOST_KVM_MISSING;
}

enum host_kvm host_kvm_state(void)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        return state_of(errno);
    return arch_kvm_class() == ARCH_KVM_HARDWARE ? HOST_KVM_READY : HOST_KVM_SOFTWARE;
}

const char *host_kvm_advice(enum host_kvm state)
{
    switch (state) {
    case HOST_KVM_READY:
        break;
    case HOST_KVM_MISSING:
        return "/dev/kvm: this host has no KVM; " ARCHITECTURE_KVM_MISSING ", or enable "
               "virtualization in the firmware (in a VM: nested virtualization); "
               "--isolation=container needs none";
    case HOST_KVM_DENIED:
        return "/dev/kvm: no permission; add yourself to its group with 'sudo usermod -aG kvm "
               "$USER' and log in again, or use sudo";
    case HOST_KVM_SOFTWARE:
        return "/dev/kvm: this processor offers no virtualization, and a KVM in software cannot "
               "run Linux; use another host, or --isolation=container";
    }
    return "";
}

int host_kvm_error(int code, struct error *err)
{
    if (code == ENOENT || code == ENODEV || code == ENXIO || code == EACCES || code == EPERM)
        return error_set(err, code, "%s", host_kvm_advice(state_of(code)));
    return error_set_errno(err, code, "/dev/kvm");
}

int host_require_kvm(struct error *err)
{
    enum host_kvm state = host_kvm_state();

    if (state == HOST_KVM_READY)
        return 0;
    return error_set(err, ENODEV, "%s", host_kvm_advice(state));
}

uint64_t host_memory_total(void)
{
    struct sysinfo info;

    /* It can only fail with a bad argument. */
    return sysinfo(&info) < 0 ? 0 : ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

uint64_t host_memory_minimum(void)
{
    return arch_memory_minimum();
}

/* What every architecture needs. */
static const struct arch_capability common_capabilities[] = {
    {"USER_MEMORY", "guest memory", KVM_CAP_USER_MEMORY, true},
    {"IRQCHIP", "interrupt controller in the kernel", KVM_CAP_IRQCHIP, true},
    {"IOEVENTFD", "queue notifications", KVM_CAP_IOEVENTFD, true},
    {"IRQFD", "interrupts from the I/O loop", KVM_CAP_IRQFD, true},
    {"IMMEDIATE_EXIT", "stopping a vCPU at once", KVM_CAP_IMMEDIATE_EXIT, true},
    {"MP_STATE", "starting further vCPUs", KVM_CAP_MP_STATE, true},
};

_Static_assert(ARRAY_LENGTH(common_capabilities) + ARCH_CAPABILITIES == HOST_CAPABILITIES,
               "all of them are in a report");

int host_kvm_report(struct host_kvm_report *report, struct error *err)
{
    AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return host_kvm_error(errno, err);
    report->api_version = ioctl(fd, KVM_GET_API_VERSION, 0);
    report->vcpus_max = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
    if (report->api_version < 0 || report->vcpus_max < 0)
        return error_set_errno(err, errno, "/dev/kvm");
    for (size_t i = 0; i < HOST_CAPABILITIES; i++) {
        const size_t common = ARRAY_LENGTH(common_capabilities);
        const struct arch_capability *asked =
            i < common ? &common_capabilities[i] : &arch_capabilities[i - common];

        report->capabilities[i] = (struct host_capability){
            .name = asked->name,
            .what = asked->what,
            .needed = asked->needed,
            .value = ioctl(fd, KVM_CHECK_EXTENSION, asked->number),
        };
    }
    return 0;
}
