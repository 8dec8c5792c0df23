/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set each vCPU up: CPUID, the model-specific registers that a BIOS sets, the local APIC. The entry
 * point of the first one is in boot.c; the others wait for INIT and SIPI in the kernel.
 */
#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/base/bytes.h"

#define MSR_MISC_ENABLE             0x1a0
#define MSR_MISC_ENABLE_FAST_STRING 1U
#define MSR_MTRR_DEFAULT            0x2ff
#define MSR_MTRR_ENABLED_WRITE_BACK 0x806U

#define APIC_LVT_LINT0      0x350
#define APIC_LVT_LINT1      0x360
#define APIC_DELIVER_NMI    (4U << 8)
#define APIC_DELIVER_EXTINT (7U << 8)

struct arch_vcpu_template {
    unsigned vcpu_count;
    struct cpuid_table cpuid;
};

/*
 * Guests have no performance counters (cpuid.c). For Intel, removing the CPUID leaf suffices; AMD's
 * oldest four counters have no leaf. A KVM without this capability (before Linux 5.18, or without
 * counters) works, too.
 */
static void disable_counters(int vm_fd)
{
    const struct kvm_enable_cap counters = {
        .cap = KVM_CAP_PMU_CAPABILITY,
        .args = {KVM_PMU_CAP_DISABLE},
    };

    (void)ioctl(vm_fd, KVM_ENABLE_CAP, &counters);
}

/* The processor's name (0x80000002 to 4), and AMD's first-level caches: KVM leaves them zero. */
static void pass_names(struct cpuid_table *table)
{
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000005; leaf++) {
        struct kvm_cpuid_entry2 host = {.function = leaf};

        if (__get_cpuid(leaf, &host.eax, &host.ebx, &host.ecx, &host.edx))
            cpuid_pass_through(table, &host);
    }
}

int arch_vcpu_template_create(int kvm_fd, int vm_fd, unsigned vcpu_count,
                              struct arch_vcpu_template **template, struct error *err)
{
    struct arch_vcpu_template *made = calloc(1, sizeof(*made));
    bool tsc_deadline = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    int code;

    if (!made)
        return error_set_errno(err, ENOMEM, "vCPU");
    made->vcpu_count = vcpu_count;
    made->cpuid.header.nent = CPUID_ENTRIES_MAX;
    if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &made->cpuid) < 0) {
        code = errno;
        free(made);
        return error_set_errno(err, code, "KVM_GET_SUPPORTED_CPUID");
    }
    cpuid_prepare(&made->cpuid, vcpu_count, tsc_deadline);
    pass_names(&made->cpuid);
    disable_counters(vm_fd);
    *template = made;
    return 0;
}

void arch_vcpu_template_destroy(struct arch_vcpu_template *template)
{
    free(template);
}

static int set_cpuid(const struct arch_vcpu_template *template, int vcpu_fd, unsigned index,
                     struct error *err)
{
    struct cpuid_table table = template->cpuid;

    if (cpuid_wants_frequency(&table)) {
        int khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);

        if (khz > 0)
            cpuid_set_frequency(&table, (unsigned)khz);
    }
    cpuid_set_topology(&table, index, template->vcpu_count);
    if (ioctl(vcpu_fd, KVM_SET_CPUID2, &table) < 0)
        return error_set_errno(err, errno, "KVM_SET_CPUID2 of vCPU %u", index);
    return 0;
}

static int set_registers(int vcpu_fd, unsigned index, struct error *err)
{
    struct {
        struct kvm_msrs header;
        struct kvm_msr_entry entries[2];
    } msrs = {
        .header.nmsrs = 1,
        .entries = {{.index = MSR_MISC_ENABLE},
                    {.index = MSR_MTRR_DEFAULT, .data = MSR_MTRR_ENABLED_WRITE_BACK}},
    };

    /* Some bits mean that a feature is absent (branch traces): they stay as KVM set them. */
    if (ioctl(vcpu_fd, KVM_GET_MSRS, &msrs) < 0)
        return error_set_errno(err, errno, "KVM_GET_MSRS of vCPU %u", index);
    msrs.entries[0].data |= MSR_MISC_ENABLE_FAST_STRING;
    msrs.header.nmsrs = 2;
    /* The result is the number of registers read or set: a KVM that lacks one works, too. */
    if (ioctl(vcpu_fd, KVM_SET_MSRS, &msrs) < 0)
        return error_set_errno(err, errno, "KVM_SET_MSRS of vCPU %u", index);
    return 0;
}

static void set_delivery(struct kvm_lapic_state *apic, unsigned offset, uint32_t mode)
{
    uint32_t value = load_le32(apic->regs + offset);

    store_le32(apic->regs + offset, (value & ~0x700U) | mode);
}

/* As a BIOS leaves it on the boot processor: the PIC on LINT0, NMI on LINT1. */
static int set_local_apic(int vcpu_fd, struct error *err)
{
    struct kvm_lapic_state apic;

    if (ioctl(vcpu_fd, KVM_GET_LAPIC, &apic) < 0)
        return error_set_errno(err, errno, "KVM_GET_LAPIC");
    set_delivery(&apic, APIC_LVT_LINT0, APIC_DELIVER_EXTINT);
    set_delivery(&apic, APIC_LVT_LINT1, APIC_DELIVER_NMI);
    if (ioctl(vcpu_fd, KVM_SET_LAPIC, &apic) < 0)
        return error_set_errno(err, errno, "KVM_SET_LAPIC");
    return 0;
}

int arch_vcpu_setup(const struct arch_vcpu_template *template, int vcpu_fd, unsigned index,
                    struct error *err)
{
    int rc = set_cpuid(template, vcpu_fd, index, err);

    if (rc < 0)
        return rc;
    rc = set_registers(vcpu_fd, index, err);
    if (rc < 0)
        return rc;
    return index == 0 ? set_local_apic(vcpu_fd, err) : 0;
}
