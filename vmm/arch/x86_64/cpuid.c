/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: CPUID: what KVM supports, with topology and frequencies put right.
 *
 * The starting point is KVM_GET_SUPPORTED_CPUID, in which topology is that of the host's processor
 * on which the call ran, so each leaf that tells of it is written anew: one package, as many cores
 * as vCPUs, one thread a core, APIC id = index (Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix
 * E).
 */
#include "vmm/arch/x86_64/cpuid.h"

#include <stdint.h>
#include <string.h>

#define LEAF1_ECX_TSC_DEADLINE (1U << 24)
#define LEAF1_ECX_HYPERVISOR   (1U << 31)
#define LEAF1_EDX_HTT          (1U << 28)
#define EXT1_ECX_CMP_LEGACY    (1U << 1)
#define TOPOLOGY_SMT           (1U << 8)
#define TOPOLOGY_CORE          (2U << 8)
#define EBX_GENUINE            0x756e6547U /* "Genu" of GenuineIntel */

static struct kvm_cpuid_entry2 *find(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < table->header.nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];

        if (entry->function == leaf && entry->index == subleaf)
            return entry;
    }
    return NULL;
}

/* The entry of a leaf with or without subleaves, made when there is none; NULL when full. */
static struct kvm_cpuid_entry2 *ensure(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf,
                                       bool indexed)
{
    struct kvm_cpuid_entry2 *entry = find(table, leaf, subleaf);

    if (!entry && table->header.nent < CPUID_ENTRIES_MAX) {
        entry = &table->entries[table->header.nent++];
        *entry = (struct kvm_cpuid_entry2){
            .function = leaf,
            .index = subleaf,
            .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        };
    }
    return entry;
}

static void remove_leaf(struct cpuid_table *table, uint32_t leaf)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < table->header.nent; i++) {
        if (table->entries[i].function != leaf)
            table->entries[kept++] = table->entries[i];
    }
    table->header.nent = kept;
}

/* Bits of an APIC id that tell `count` cores apart. */
static unsigned id_bits(unsigned count)
{
    unsigned bits = 0;

    while (1U << bits < count)
        bits++;
    return bits;
}

static bool has_basic_leaf(struct cpuid_table *table, uint32_t leaf)
{
    const struct kvm_cpuid_entry2 *first = find(table, 0, 0);

    return first && first->eax >= leaf;
}

bool cpuid_wants_frequency(const struct cpuid_table *table)
{
    return table->header.nent > 0 && table->entries[0].function == 0 &&
           table->entries[0].ebx == EBX_GENUINE;
}

void cpuid_set_frequency(struct cpuid_table *table, unsigned tsc_khz)
{
    struct kvm_cpuid_entry2 *first = find(table, 0, 0);
    struct kvm_cpuid_entry2 *ratio;
    struct kvm_cpuid_entry2 *base;

    if (!first || tsc_khz == 0 || tsc_khz > UINT32_MAX / 1000)
        return;
    ratio = ensure(table, 0x15, 0, false);
    base = ensure(table, 0x16, 0, false);
    if (!ratio || !base)
        return;
    /* A "crystal" of the very frequency of the counter, ratio 1 to 1. */
    ratio->eax = 1;
    ratio->ebx = 1;
    ratio->ecx = tsc_khz * 1000;
    ratio->edx = 0;
    base->eax = tsc_khz / 1000;
    base->ebx = tsc_khz / 1000;
    base->ecx = 0;
    if (first->eax < 0x16)
        first->eax = 0x16;
}

void cpuid_prepare(struct cpuid_table *table, unsigned vcpu_count, bool tsc_deadline)
{
    struct kvm_cpuid_entry2 *entry = find(table, 1, 0);

    if (entry) {
        entry->ecx |= LEAF1_ECX_HYPERVISOR;
        if (tsc_deadline)
            entry->ecx |= LEAF1_ECX_TSC_DEADLINE;
        entry->edx &= ~LEAF1_EDX_HTT;
        if (vcpu_count > 1)
            entry->edx |= LEAF1_EDX_HTT;
    }
    entry = find(table, 0x80000001, 0);
    if (entry) {
        entry->ecx &= ~EXT1_ECX_CMP_LEGACY;
        if (vcpu_count > 1 && !cpuid_wants_frequency(table))
            entry->ecx |= EXT1_ECX_CMP_LEGACY;
    }
    remove_leaf(table, 0x1f); /* says what 0xb says, for packages of several dies */
    if (has_basic_leaf(table, 0xb)) {
        ensure(table, 0xb, 0, true);
        ensure(table, 0xb, 1, true);
    }
}

/* Leaf 0xb: levels of topology, each with the bits to shift the id by to get to the next. */
static void set_extended_topology(struct kvm_cpuid_entry2 *entry, unsigned index,
                                  unsigned vcpu_count)
{
    entry->eax = 0;
    entry->ebx = 0;
    entry->ecx = entry->index;
    entry->edx = index;
    if (entry->index == 0) {
        entry->ebx = 1;
        entry->ecx |= TOPOLOGY_SMT;
    } else if (entry->index == 1) {
        entry->eax = id_bits(vcpu_count);
        entry->ebx = vcpu_count;
        entry->ecx |= TOPOLOGY_CORE;
    }
}

/*
 * Leaves 4 and 0x8000001d describe one cache an entry: in eax, bits 4:0 say that there is one, 7:5
 * its level, 25:14 how many threads share it, less one; 31:26 of leaf 4 the cores, less one.
 */
static void set_cache(struct kvm_cpuid_entry2 *entry, unsigned vcpu_count)
{
    unsigned level = entry->eax >> 5 & 7U;
    unsigned last = (1U << id_bits(vcpu_count)) - 1; /* ids in the package, less one */

    if ((entry->eax & 0x1f) == 0)
        return;
    entry->eax &= entry->function == 4 ? 0x3fffU : 0xfc003fffU;
    if (level >= 3)
        entry->eax |= last << 14;
    if (entry->function == 4)
        entry->eax |= (last & 0x3f) << 26;
}

void cpuid_set_topology(struct cpuid_table *table, unsigned index, unsigned vcpu_count)
{
    for (unsigned i = 0; i < table->header.nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];

        switch (entry->function) {
        case 1:
            /* APIC id, and ids that the package may hold (only read with HTT). */
            entry->ebx = (entry->ebx & 0xffffU) | index << 24 | 1U << id_bits(vcpu_count) << 16;
            break;
        case 4:
        case 0x8000001d:
            set_cache(entry, vcpu_count);
            break;
        case 0xb:
            set_extended_topology(entry, index, vcpu_count);
            break;
        case 0x80000008:
            /* NC: cores less one; ApicIdSize: bits of the core id. */
            entry->ecx = (entry->ecx & ~0xf0ffU) | (vcpu_count - 1) | id_bits(vcpu_count) << 12;
            break;
        case 0x8000001e:
            entry->eax = index;
            entry->ebx = index; /* core id; one thread a core */
            entry->ecx = 0;
            break;
        default:
            break;
        }
    }
}
