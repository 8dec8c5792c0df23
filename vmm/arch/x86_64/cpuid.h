/* SPDX-License-Identifier: Apache-2.0 */
/* The CPUID of a guest's processors. */
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
 * Turns what KVM supports (KVM_GET_SUPPORTED_CPUID) into what every vCPU gets: hides features from
 * guests, sets the hypervisor bit. `tsc_deadline`: KVM has the local APIC's deadline timer.
 */
void cpuid_prepare(struct cpuid_table *table, unsigned vcpu_count, bool tsc_deadline);

/*
 * Copies one extended leaf of the host's processor, if the guest's leaves reach that far and KVM
 * left it zero: names and sizes, which do not announce features.
 */
void cpuid_pass_through(struct cpuid_table *table, const struct kvm_cpuid_entry2 *host);

/* Whether guests use leaves 0x15 and 0x16 on this processor. */
bool cpuid_wants_frequency(const struct cpuid_table *table);
/* Sets the rate of the time-stamp counter; 0 = unknown, which changes nothing. */
void cpuid_set_frequency(struct cpuid_table *table, unsigned tsc_khz);

/* Sets the place of vCPU `index` (its APIC ID) among `vcpu_count` cores of one package, one thread
 * each. */
void cpuid_set_topology(struct cpuid_table *table, unsigned index, unsigned vcpu_count);

#endif
