/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID: what KVM supports, minus what is hidden from guests, with topology and frequencies
 * corrected (Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E; Linux, virt/kvm/api.rst 9.1).
 *
 * Passed as KVM gives them: identification (0, 1 EAX), caches and TLBs (2, 4, 0x80000005,
 * 0x80000006, 0x8000001d), power (6: only ARAT), features (1, 7, 0x80000001, 0x80000008 EBX,
 * 0x80000021), the size of the extended state (0xd), KVM's own leaves (0x40000000: clock, end of
 * interrupt, TLB flush), the counter's invariance (0x80000007), the widths of addresses (0x80000008
 * EAX). KVM has removed from them what it does not support. Replaced: topology, which KVM leaves
 * zero or copies from the processor that ran the call: one package, as many cores as vCPUs, one
 * thread a core, APIC ID = index.
 */
#include "vmm/arch/x86_64/cpuid.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LEAF1_ECX_TSC_DEADLINE (1U << 24)
#define LEAF1_ECX_HYPERVISOR   (1U << 31)
#define LEAF1_EDX_HTT          (1U << 28)
#define EXT1_ECX_CMP_LEGACY    (1U << 1)
#define TOPOLOGY_SMT           (1U << 8)
#define TOPOLOGY_CORE          (2U << 8)
#define EBX_GENUINE            0x756e6547U /* "Genu" of GenuineIntel */
#define EBX_AUTHENTIC          0x68747541U /* "Auth" of AuthenticAMD */
#define EBX_HYGON              0x6f677948U /* "Hygo" of HygonGenuine, whose leaves are AMD's */
#define APIC_TIMER_KHZ         1000000U    /* KVM's local APIC counts nanoseconds */

#define BIT(n)   (1U << (n))
#define REG(reg) offsetof(struct kvm_cpuid_entry2, reg)

enum vendor { VENDOR_INTEL = 1, VENDOR_AMD = 2, VENDOR_OTHER = 4, VENDOR_ANY = 7 };

/*
 * Bits that KVM may offer and that are hidden from guests. Nested virtualization: it is the part of
 * KVM with most of its bugs, and no container needs it. Performance counters and processor traces:
 * precise enough clocks for side channels, and a path into the host's perf. SGX: no guest memory is
 * enclave memory. AMX: its state needs a permission of the process (arch_prctl), without which KVM
 * offers the instructions but not the state. ARCH_CAPABILITIES: KVM emulates it on AMD, whose
 * processors do not have it. ECX of 0x80000008: reserved except on AMD.
 */
static const struct {
    uint32_t leaf, subleaf;
    size_t reg;
    uint32_t bits;
    unsigned vendors;
} hidden_bits[] = {
    {0x1, 0, REG(ecx), BIT(2) | BIT(5) | BIT(15), VENDOR_ANY}, /* DTES64, VMX, PDCM */
    {0x1, 0, REG(edx), BIT(21), VENDOR_ANY},                   /* DS */
    {0x7, 0, REG(ebx), BIT(2) | BIT(25), VENDOR_ANY},          /* SGX, processor trace */
    {0x7, 0, REG(ecx), BIT(30), VENDOR_ANY},                   /* SGX_LC */
    {0x7, 0, REG(edx), BIT(19) | BIT(22) | BIT(24) | BIT(25), VENDOR_ANY}, /* LBR, AMX */
    {0x7, 0, REG(edx), BIT(29), VENDOR_AMD},                               /* ARCH_CAPABILITIES */
    {0x7, 1, REG(eax), BIT(8) | BIT(21), VENDOR_ANY}, /* counters' leaf 0x23, AMX_FP16 */
    {0x7, 1, REG(edx), BIT(8), VENDOR_ANY},           /* AMX_COMPLEX */
    {0x80000001, 0, REG(ecx), BIT(2) | BIT(10) | BIT(12), VENDOR_ANY}, /* SVM, IBS, SKINIT */
    {0x80000001, 0, REG(ecx), BIT(23) | BIT(24) | BIT(28),
     VENDOR_ANY}, /* PERFCTR_CORE, _NB, _LLC */
    {0x80000008, 0, REG(ecx), UINT32_MAX, VENDOR_INTEL | VENDOR_OTHER},
};

/*
 * Leaves that are removed entirely: KVM then returns zeros. Those of hidden bits: counters 0xa and
 * 0x23, SGX 0x12, trace 0x14, LBR 0x1c, AMX 0x1d and 0x1e, SVM 0x8000000a, IBS 0x8000001b,
 * encryption of memory 0x8000001f (for guests that are started with it), AMD's counters 0x80000022.
 * Also 0x1f and 0x80000026, which repeat 0xb for packages of several dies.
 */
static const uint32_t hidden_leaves[] = {0xa,        0x12,       0x14,      0x1c,       0x1d,
                                         0x1e,       0x1f,       0x23,      0x8000000a, 0x8000001b,
                                         0x8000001f, 0x80000022, 0x80000026};

static struct kvm_cpuid_entry2 *find(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < table->header.nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];

        if (entry->function == leaf && entry->index == subleaf)
            return entry;
    }
    return NULL;
}

/* The entry of a leaf with or without subleaves, created if missing; NULL if the table is full. */
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

/* Bits of an APIC ID that distinguish `count` cores. */
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

static enum vendor vendor_of(const struct cpuid_table *table)
{
    if (table->header.nent == 0 || table->entries[0].function != 0)
        return VENDOR_OTHER;
    switch (table->entries[0].ebx) {
    case EBX_GENUINE:
        return VENDOR_INTEL;
    case EBX_AUTHENTIC:
    case EBX_HYGON:
        return VENDOR_AMD;
    default:
        return VENDOR_OTHER;
    }
}

bool cpuid_wants_frequency(const struct cpuid_table *table)
{
    return vendor_of(table) == VENDOR_INTEL;
}

/*
 * Leaf 0x15: rate of the counter = rate of the "crystal" (ecx, Hz) * ebx / eax. Linux assumes that
 * the crystal drives the local APIC's timer, and multiplies kHz in 32 bits. So the crystal is the
 * timer's clock, and the ratio is the nearest one whose product fits. It is exact for a rate that
 * is a multiple of 1 MHz, and for others rarely off by more than a few parts in a million: a guest
 * that needs more precision has KVM's clock.
 */
static void set_ratio(struct kvm_cpuid_entry2 *entry, uint64_t tsc_khz)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t denominator = 1; least > 0; denominator++) {
        uint64_t wanted = tsc_khz * denominator;
        uint64_t numerator = (wanted + APIC_TIMER_KHZ / 2) / APIC_TIMER_KHZ;
        uint64_t product = numerator * APIC_TIMER_KHZ;
        uint64_t off = product > wanted ? product - wanted : wanted - product;

        if (product > UINT32_MAX)
            break;
        /* off / denominator < least / entry->eax, in whole numbers */
        if (numerator > 0 && (least == UINT64_MAX || off * entry->eax < least * denominator)) {
            least = off;
            entry->eax = denominator;
            entry->ebx = (uint32_t)numerator;
        }
    }
    entry->ecx = APIC_TIMER_KHZ * 1000;
    entry->edx = 0;
}

void cpuid_set_frequency(struct cpuid_table *table, unsigned tsc_khz)
{
    struct kvm_cpuid_entry2 *first = find(table, 0, 0);
    struct kvm_cpuid_entry2 *ratio;
    struct kvm_cpuid_entry2 *base;

    if (!first || tsc_khz < 1000 || tsc_khz > UINT32_MAX - APIC_TIMER_KHZ)
        return;
    ratio = ensure(table, 0x15, 0, false);
    base = ensure(table, 0x16, 0, false);
    if (!ratio || !base)
        return;
    set_ratio(ratio, tsc_khz);
    /* In MHz: the base rate, the highest; that of the bus is not reported. */
    base->eax = tsc_khz / 1000;
    base->ebx = tsc_khz / 1000;
    base->ecx = 0;
    base->edx = 0;
    if (first->eax < 0x16)
        first->eax = 0x16;
}

static void hide(struct cpuid_table *table)
{
    const enum vendor vendor = vendor_of(table);

    for (size_t i = 0; i < sizeof(hidden_leaves) / sizeof(hidden_leaves[0]); i++)
        remove_leaf(table, hidden_leaves[i]);
    for (size_t i = 0; i < sizeof(hidden_bits) / sizeof(hidden_bits[0]); i++) {
        struct kvm_cpuid_entry2 *entry = find(table, hidden_bits[i].leaf, hidden_bits[i].subleaf);

        if (entry && hidden_bits[i].vendors & vendor)
            *(uint32_t *)((char *)entry + hidden_bits[i].reg) &= ~hidden_bits[i].bits;
    }
}

void cpuid_prepare(struct cpuid_table *table, unsigned vcpu_count, bool tsc_deadline)
{
    struct kvm_cpuid_entry2 *entry;

    hide(table);
    entry = find(table, 1, 0);
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
        if (vcpu_count > 1 && vendor_of(table) == VENDOR_AMD)
            entry->ecx |= EXT1_ECX_CMP_LEGACY;
    }
    if (has_basic_leaf(table, 0xb)) {
        ensure(table, 0xb, 0, true);
        ensure(table, 0xb, 1, true);
    }
}

void cpuid_pass_through(struct cpuid_table *table, const struct kvm_cpuid_entry2 *host)
{
    const struct kvm_cpuid_entry2 *last = find(table, 0x80000000, 0);
    struct kvm_cpuid_entry2 *entry;

    if (!last || last->eax < host->function)
        return;
    entry = ensure(table, host->function, 0, false);
    if (!entry || entry->eax || entry->ebx || entry->ecx || entry->edx)
        return;
    entry->eax = host->eax;
    entry->ebx = host->ebx;
    entry->ecx = host->ecx;
    entry->edx = host->edx;
}

/* Leaf 0xb: levels of topology, each with the bits by which to shift the ID to get the next. */
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
 * Leaves 4 and 0x8000001d describe one cache an entry: in eax, bits 4:0 are its type, 7:5 its
 * level, 25:14 the number of threads that share it, minus one; bits 31:26 of leaf 4 the cores,
 * minus one.
 */
static void set_cache(struct kvm_cpuid_entry2 *entry, unsigned vcpu_count)
{
    unsigned level = entry->eax >> 5 & 7U;
    unsigned last = (1U << id_bits(vcpu_count)) - 1; /* IDs in the package, minus one */

    if ((entry->eax & 0x1f) == 0)
        return;
    entry->eax &= 0x3fffU;
    if (level >= 3)
        entry->eax |= last << 14;
    if (entry->function == 4)
        entry->eax |= (last & 0x3f) << 26;
}

void cpuid_set_topology(struct cpuid_table *table, unsigned index, unsigned vcpu_count)
{
    const enum vendor vendor = vendor_of(table);

    for (unsigned i = 0; i < table->header.nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];

        switch (entry->function) {
        case 1:
            /* APIC ID, and the number of IDs in the package (only valid with HTT). */
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
            /* NC: cores minus one; ApicIdSize: bits of the core ID. */
            if (vendor == VENDOR_AMD)
                entry->ecx = (entry->ecx & ~0xf0ffU) | (vcpu_count - 1) | id_bits(vcpu_count) << 12;
            break;
        case 0x8000001e:
            entry->eax = index;
            entry->ebx = index; /* core ID; one thread a core */
            entry->ecx = 0;
            break;
        default:
            break;
        }
    }
}
