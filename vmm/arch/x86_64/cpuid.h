/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's processor says of itself (CPUID). */
#ifndef MICROVM_ARCH_X86_64_CPUID_H
#define MICROVM_ARCH_X86_64_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>

#define CPUID_ENTRIES_MAX 128

/* struct kvm_cpuid2 with room for its entries. */
struct cpuid_table {
    struct kvm_cpuid2 header;
    struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/*
 * Makes what KVM supports (KVM_GET_SUPPORTED_CPUID) what every vCPU has: hides what a guest is not
 * given, says that there is a hypervisor. `tsc_deadline`: KVM has the local APIC's deadline timer.
 */
void cpuid_prepare(struct cpuid_table *table, unsigned vcpu_count, bool tsc_deadline);

/*
 * Gives the guest one extended leaf as the host's processor has it, if the guest's leaves reach
 * that far and KVM left it blank: names and sizes, which promise no feature.
 */
void cpuid_pass_through(struct cpuid_table *table, const struct kvm_cpuid_entry2 *host);

/* Whether leaves 0x15 and 0x16 are used by guests on such a processor. */
bool cpuid_wants_frequency(const struct cpuid_table *table);
/* Tells the rate of the time-stamp counter; 0 = not known, which leaves the table alone. */
void cpuid_set_frequency(struct cpuid_table *table, unsigned tsc_khz);

/* Who vCPU `index` (its APIC id) is among `vcpu_count` cores of one package, one thread each. */
void cpuid_set_topology(struct cpuid_table *table, unsigned index, unsigned vcpu_count);

#endif
