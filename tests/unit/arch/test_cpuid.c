/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's CPUID describes the VM, whatever the host's CPUID says. */
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/cpuid.h"

#define GENU 0x756e6547U
#define AUTH 0x68747541U
#define HYGO 0x6f677948U
#define CENT 0x746e6543U

static struct kvm_cpuid_entry2 *leaf(struct cpuid_table *table, uint32_t function, uint32_t index)
{
    for (unsigned i = 0; i < table->header.nent; i++) {
        if (table->entries[i].function == function && table->entries[i].index == index)
            return &table->entries[i];
    }
    return NULL;
}

static void add(struct cpuid_table *table, struct kvm_cpuid_entry2 entry)
{
    table->entries[table->header.nent++] = entry;
}

/* A leaf as KVM supports it on a host, and as a guest gets it. */
struct row {
    uint32_t leaf, subleaf;
    uint32_t host[4]; /* eax, ebx, ecx, edx */
    uint32_t guest[4];
    enum { KEPT, GONE, ADDED } fate;
};

/*
 * An Intel server with all that KVM of Linux 6.1 and later may report: nested virtualization,
 * counters, processor trace, SGX, AMX, last-branch records; topology of the processor that ran the
 * call. The guest is vCPU 5 of 6, and its counter has 2600 MHz.
 */
static const struct row intel[] = {
    {0x0, 0, {0x24, GENU, 0x6c65746e, 0x49656e69}, {0x24, GENU, 0x6c65746e, 0x49656e69}, KEPT},
    {0x1,
     0,
     {0x806f8, 0x2a800800, 0x76fab227, 0x0fabfbff},
     {0x806f8, 0x05080800, 0xf7fa3203, 0x1f8bfbff},
     KEPT},
    {0x2, 0, {0x00feff01, 0xf0, 0, 0}, {0x00feff01, 0xf0, 0, 0}, KEPT},
    {0x4, 0, {0xfc004121, 0x02c0003f, 0x3f, 0}, {0x1c000121, 0x02c0003f, 0x3f, 0}, KEPT},
    {0x4, 1, {0xfc004122, 0x01c0003f, 0x3f, 0}, {0x1c000122, 0x01c0003f, 0x3f, 0}, KEPT},
    {0x4, 2, {0xfc004143, 0x03c0003f, 0x7ff, 0}, {0x1c000143, 0x03c0003f, 0x7ff, 0}, KEPT},
    {0x4, 3, {0xfc1fc163, 0x0380003f, 0x1bfff, 4}, {0x1c01c163, 0x0380003f, 0x1bfff, 4}, KEPT},
    {0x4, 4, {0, 0, 0, 0}, {0, 0, 0, 0}, KEPT},
    {0x6, 0, {4, 0, 0, 0}, {4, 0, 0, 0}, KEPT},
    {0x7,
     0,
     {2, 0xf3bf0fbf, 0x5b415f4e, 0xafc94410},
     {2, 0xf1bf0fbb, 0x1b415f4e, 0xac814410},
     KEPT},
    {0x7, 1, {0x00201d30, 0, 0, 0x4100}, {0x1c30, 0, 0, 0x4000}, KEPT},
    {0x7, 2, {0, 0, 0, 0x17}, {0, 0, 0, 0x17}, KEPT},
    {0xa, 0, {0x08300802, 0, 0, 0x603}, {0}, GONE},
    {0xb, 0, {0, 0, 0, 0x2a}, {0, 1, 0x100, 5}, KEPT},
    {0xb, 1, {0}, {3, 6, 0x201, 5}, ADDED},
    {0xd, 0, {0x2e7, 0xa88, 0xa88, 0}, {0x2e7, 0xa88, 0xa88, 0}, KEPT},
    {0xd, 1, {0xf, 0x988, 0, 0}, {0xf, 0x988, 0, 0}, KEPT},
    {0xd, 2, {0x100, 0x240, 0, 0}, {0x100, 0x240, 0, 0}, KEPT},
    {0x12, 0, {3, 1, 0, 0x381f}, {0}, GONE},
    {0x12, 1, {0xb6, 0, 0x2e7, 0}, {0}, GONE},
    {0x14, 0, {1, 0x5f, 7, 0}, {0}, GONE},
    {0x14, 1, {0x02490002, 0x003f003f, 0, 0}, {0}, GONE},
    {0x15, 0, {0, 0, 0, 0}, {5, 13, 1000000000, 0}, KEPT},
    {0x16, 0, {0, 0, 0, 0}, {2600, 2600, 0, 0}, KEPT},
    {0x1c, 0, {0x4000000b, 7, 7, 0}, {0}, GONE},
    {0x1d, 0, {1, 0, 0, 0}, {0}, GONE},
    {0x1d, 1, {0x04002000, 0x00080040, 0x10, 0}, {0}, GONE},
    {0x1e, 0, {0, 0x4010, 0, 0}, {0}, GONE},
    {0x1f, 0, {0, 0, 0, 0x2a}, {0}, GONE},
    {0x23, 0, {0xb, 0, 0, 0}, {0}, GONE},
    {0x24, 0, {0, 0x70001, 0, 0}, {0, 0x70001, 0, 0}, KEPT},
    {0x40000000,
     0,
     {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
     {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
     KEPT},
    {0x40000001, 0, {0x01007efb, 0, 0, 0}, {0x01007efb, 0, 0, 0}, KEPT},
    {0x80000000, 0, {0x80000008, 0, 0, 0}, {0x80000008, 0, 0, 0}, KEPT},
    {0x80000001, 0, {0, 0, 0x123, 0x2c100800}, {0, 0, 0x121, 0x2c100800}, KEPT},
    {0x80000006, 0, {0, 0, 0x08007040, 0}, {0, 0, 0x08007040, 0}, KEPT},
    {0x80000007, 0, {0, 0, 0, 0x100}, {0, 0, 0, 0x100}, KEPT},
    {0x80000008, 0, {0x3934, 0x200, 0x701f, 0}, {0x3934, 0x200, 0, 0}, KEPT},
};

/* The same for AMD: nested virtualization, old and new counters, IBS, encrypted guests. */
static const struct row amd[] = {
    {0x0, 0, {0x10, AUTH, 0x444d4163, 0x69746e65}, {0x10, AUTH, 0x444d4163, 0x69746e65}, KEPT},
    {0x1,
     0,
     {0xa10f11, 0x2a800800, 0x76fa3203, 0x078bfbff},
     {0xa10f11, 0x05080800, 0xf7fa3203, 0x178bfbff},
     KEPT},
    {0x4, 0, {0, 0, 0, 0}, {0, 0, 0, 0}, KEPT},
    {0x6, 0, {4, 0, 0, 0}, {4, 0, 0, 0}, KEPT},
    {0x7, 0, {1, 0xf1bf97a9, 0x405fce, 0xb8000410}, {1, 0xf1bf97a9, 0x405fce, 0x98000410}, KEPT},
    {0x7, 1, {0x20, 0, 0, 0}, {0x20, 0, 0, 0}, KEPT},
    {0xa, 0, {0, 0, 0, 0}, {0}, GONE},
    {0xb, 0, {0, 0, 0, 0x2a}, {0, 1, 0x100, 5}, KEPT},
    {0xb, 1, {0}, {3, 6, 0x201, 5}, ADDED},
    {0xd, 0, {0x2e7, 0x988, 0x988, 0}, {0x2e7, 0x988, 0x988, 0}, KEPT},
    {0x40000000,
     0,
     {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
     {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
     KEPT},
    {0x40000001, 0, {0x01007efb, 0, 0, 0}, {0x01007efb, 0, 0, 0}, KEPT},
    {0x80000000, 0, {0x80000026, 0, 0, 0}, {0x80000026, 0, 0, 0}, KEPT},
    {0x80000001,
     0,
     {0xa10f11, 0x40000000, 0x11c017f7, 0x2fd3fbff},
     {0xa10f11, 0x40000000, 0x004003f3, 0x2fd3fbff},
     KEPT},
    {0x80000006, 0, {0, 0, 0x04006140, 0x8009140}, {0, 0, 0x04006140, 0x8009140}, KEPT},
    {0x80000007, 0, {0, 0, 0, 0x100}, {0, 0, 0, 0x100}, KEPT},
    {0x80000008, 0, {0x3030, 0x91bef75f, 0x701f, 0}, {0x3030, 0x91bef75f, 0x3005, 0}, KEPT},
    {0x8000000a, 0, {1, 8, 0, 0x1ebfbdff}, {0}, GONE},
    {0x8000001b, 0, {0xbff, 0, 0, 0}, {0}, GONE},
    {0x8000001d, 0, {0x4121, 0x01c0003f, 0x3f, 0}, {0x121, 0x01c0003f, 0x3f, 0}, KEPT},
    {0x8000001d, 1, {0x3c163, 0x03c0003f, 0x7fff, 1}, {0x1c163, 0x03c0003f, 0x7fff, 1}, KEPT},
    {0x8000001d, 2, {0, 0, 0, 0}, {0, 0, 0, 0}, KEPT},
    {0x8000001e, 0, {0x2a, 0x115, 0x301, 0}, {5, 5, 0, 0}, KEPT},
    {0x8000001f, 0, {0x0101fd3f, 0x4173, 0x1fd, 1}, {0}, GONE},
    {0x80000021, 0, {0x245, 0, 0, 0}, {0x245, 0, 0, 0}, KEPT},
    {0x80000022, 0, {7, 0x106, 0, 0}, {0}, GONE},
    {0x80000026, 0, {0xc1, 2, 0x100, 0x2a}, {0}, GONE},
};

static void fill(struct cpuid_table *table, const struct row *rows, size_t count)
{
    memset(table, 0, sizeof(*table));
    for (size_t i = 0; i < count; i++) {
        if (rows[i].fate != ADDED)
            add(table, (struct kvm_cpuid_entry2){rows[i].leaf,
                                                 rows[i].subleaf,
                                                 0,
                                                 rows[i].host[0],
                                                 rows[i].host[1],
                                                 rows[i].host[2],
                                                 rows[i].host[3],
                                                 {0}});
    }
}

/* Every leaf of the table matches its row, and each one has a row. */
static void expect_guest(struct cpuid_table *table, const struct row *rows, size_t count)
{
    unsigned expected = 0;

    for (size_t i = 0; i < count; i++) {
        const struct kvm_cpuid_entry2 *entry = leaf(table, rows[i].leaf, rows[i].subleaf);

        if (rows[i].fate == GONE) {
            if (entry)
                fail_msg("leaf %#x is offered", rows[i].leaf);
            continue;
        }
        expected++;
        if (!entry)
            fail_msg("no leaf %#x, %u", rows[i].leaf, rows[i].subleaf);
        if (entry->eax != rows[i].guest[0] || entry->ebx != rows[i].guest[1] ||
            entry->ecx != rows[i].guest[2] || entry->edx != rows[i].guest[3])
            fail_msg("leaf %#x, %u is %#x %#x %#x %#x", rows[i].leaf, rows[i].subleaf, entry->eax,
                     entry->ebx, entry->ecx, entry->edx);
    }
    assert_int_equal(table->header.nent, expected);
}

#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])

static void an_intel_guest_leaf_by_leaf(void **state)
{
    struct cpuid_table table;

    (void)state;
    fill(&table, ROWS(intel));
    cpuid_prepare(&table, 6, true);
    assert_true(cpuid_wants_frequency(&table));
    cpuid_set_frequency(&table, 2600000);
    cpuid_set_topology(&table, 5, 6);
    expect_guest(&table, ROWS(intel));
}

static void an_amd_guest_leaf_by_leaf(void **state)
{
    struct cpuid_table table;

    (void)state;
    fill(&table, ROWS(amd));
    cpuid_prepare(&table, 6, true);
    assert_false(cpuid_wants_frequency(&table));
    cpuid_set_topology(&table, 5, 6);
    expect_guest(&table, ROWS(amd));
}

/* Hygon's processors are AMD's with another name; of others nothing is known except what KVM
 * reports. */
static void other_vendors(void **state)
{
    struct cpuid_table table;

    (void)state;
    fill(&table, ROWS(amd));
    table.entries[0].ebx = HYGO;
    cpuid_prepare(&table, 6, true);
    cpuid_set_topology(&table, 5, 6);
    assert_int_equal(leaf(&table, 0x80000001, 0)->ecx, 0x004003f3);
    assert_int_equal(leaf(&table, 0x80000008, 0)->ecx, 0x3005);
    fill(&table, ROWS(intel));
    table.entries[0].ebx = CENT;
    cpuid_prepare(&table, 6, true);
    assert_false(cpuid_wants_frequency(&table));
    cpuid_set_topology(&table, 5, 6);
    assert_int_equal(leaf(&table, 1, 0)->ecx, 0xf7fa3203);
    assert_int_equal(leaf(&table, 0x80000008, 0)->ecx, 0);
}

static void one_vcpu_is_a_package_of_one(void **state)
{
    struct cpuid_table table;

    (void)state;
    fill(&table, ROWS(intel));
    cpuid_prepare(&table, 1, false);
    cpuid_set_topology(&table, 0, 1);
    assert_int_equal(leaf(&table, 1, 0)->ebx, 0x00010800);
    assert_int_equal(leaf(&table, 1, 0)->ecx, 0xf6fa3203); /* without the deadline timer */
    assert_int_equal(leaf(&table, 1, 0)->edx, 0x0f8bfbff);
    assert_int_equal(leaf(&table, 4, 3)->eax, 0x163);
    assert_int_equal(leaf(&table, 0xb, 1)->eax, 0);
    assert_int_equal(leaf(&table, 0xb, 1)->ebx, 1);
    fill(&table, ROWS(amd));
    cpuid_prepare(&table, 1, true);
    cpuid_set_topology(&table, 0, 1);
    assert_int_equal(leaf(&table, 0x80000001, 0)->ecx, 0x004003f1);
    assert_int_equal(leaf(&table, 0x80000008, 0)->ecx, 0);
    assert_int_equal(leaf(&table, 0x8000001d, 1)->eax, 0x163);
}

/* The maximum: no field overflows into the next one. */
static void sixty_four_vcpus_fit(void **state)
{
    struct cpuid_table table;

    (void)state;
    fill(&table, ROWS(amd));
    cpuid_prepare(&table, 64, true);
    cpuid_set_topology(&table, 63, 64);
    assert_int_equal(leaf(&table, 1, 0)->ebx, 0x3f400800);
    assert_int_equal(leaf(&table, 0xb, 1)->eax, 6);
    assert_int_equal(leaf(&table, 0xb, 1)->ebx, 64);
    assert_int_equal(leaf(&table, 0x80000008, 0)->ecx, 0x603f);
    assert_int_equal(leaf(&table, 0x8000001d, 1)->eax, 0xfc163);
    fill(&table, ROWS(intel));
    cpuid_prepare(&table, 64, true);
    cpuid_set_topology(&table, 63, 64);
    assert_int_equal(leaf(&table, 4, 0)->eax, 0xfc000121);
    assert_int_equal(leaf(&table, 4, 3)->eax, 0xfc0fc163);
}

/* The frequency that the guest computes from leaf 0x15 in 32 bits, like Linux, in kHz. */
static uint32_t rate_read(const struct kvm_cpuid_entry2 *ratio)
{
    return ratio->ecx / 1000 * ratio->ebx / ratio->eax;
}

static void frequency_is_counted_by_the_apic_timers_clock(void **state)
{
    static const struct {
        unsigned khz, parts_per_million;
    } rates[] = {
        {200000, 0},  {1000000, 0}, {2394375, 0}, {2600000, 0},   {3400000, 0}, {5000000, 0},
        {2893202, 1}, {2995196, 1}, {3393624, 1}, {2999999, 1},   {4294967, 1}, {1000001, 1},
        {1001, 1000}, {1000, 0},    {999999, 1},  {3000351, 120},
    };
    struct cpuid_table table;

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const struct kvm_cpuid_entry2 *ratio;
        uint64_t off;

        fill(&table, ROWS(intel));
        cpuid_set_frequency(&table, rates[i].khz);
        ratio = leaf(&table, 0x15, 0);
        assert_int_equal(ratio->ecx, 1000000000);
        assert_true((uint64_t)(ratio->ecx / 1000) * ratio->ebx <= UINT32_MAX);
        off = (uint64_t)llabs((long long)rate_read(ratio) - (long long)rates[i].khz);
        if (off > 1 + (uint64_t)rates[i].khz * rates[i].parts_per_million / 1000000)
            fail_msg("%u kHz read as %u", rates[i].khz, rate_read(ratio));
        assert_int_equal(leaf(&table, 0x16, 0)->eax, rates[i].khz / 1000);
    }
}

/* On a processor without these leaves, they are added, and the maximum leaf is updated. */
static void frequency_is_reported_to_old_processors(void **state)
{
    struct cpuid_table table;

    (void)state;
    fill(&table, intel, 2);
    table.entries[0].eax = 0xd;
    cpuid_set_frequency(&table, 0); /* not known */
    assert_null(leaf(&table, 0x15, 0));
    cpuid_set_frequency(&table, UINT32_MAX); /* nonsense */
    assert_null(leaf(&table, 0x15, 0));
    cpuid_set_frequency(&table, 2600000);
    assert_int_equal(leaf(&table, 0, 0)->eax, 0x16);
    assert_int_equal(leaf(&table, 0x15, 0)->ebx, 13);
    assert_int_equal(leaf(&table, 0x16, 0)->eax, 2600);
}

static void names_are_the_hosts(void **state)
{
    const struct kvm_cpuid_entry2 name = {0x80000002, 0, 0, 1, 2, 3, 4, {0}};
    const struct kvm_cpuid_entry2 beyond = {0x80000009, 0, 0, 1, 2, 3, 4, {0}};
    const struct kvm_cpuid_entry2 known = {0x80000006, 0, 0, 1, 2, 3, 4, {0}};
    struct cpuid_table table;

    (void)state;
    fill(&table, ROWS(intel));
    for (unsigned i = 0; i < 2; i++) { /* whether KVM has it, zero, or not */
        cpuid_pass_through(&table, &name);
        assert_int_equal(leaf(&table, 0x80000002, 0)->eax, 1);
        assert_int_equal(leaf(&table, 0x80000002, 0)->edx, 4);
        fill(&table, ROWS(intel));
        add(&table, (struct kvm_cpuid_entry2){.function = 0x80000002});
    }
    cpuid_pass_through(&table, &beyond); /* further than the guest's leaves reach */
    assert_null(leaf(&table, 0x80000009, 0));
    cpuid_pass_through(&table, &known); /* KVM's values stay */
    assert_int_equal(leaf(&table, 0x80000006, 0)->ecx, 0x08007040);
}

/* Nothing is written beyond a full, or empty, table. */
static void odd_tables_are_survived(void **state)
{
    struct {
        struct cpuid_table table;
        uint64_t behind;
    } full;

    (void)state;
    memset(&full, 0, sizeof(full));
    full.behind = 0x1234;
    full.table.header.nent = CPUID_ENTRIES_MAX;
    for (unsigned i = 0; i < CPUID_ENTRIES_MAX; i++)
        full.table.entries[i] = (struct kvm_cpuid_entry2){.function = i ? 0x1000 : 0, .eax = 0xff};
    cpuid_prepare(&full.table, 64, true);
    cpuid_set_frequency(&full.table, 1000);
    cpuid_set_topology(&full.table, 63, 64);
    assert_int_equal(full.table.header.nent, CPUID_ENTRIES_MAX);
    assert_int_equal(full.behind, 0x1234);
    full.table.header.nent = 0;
    assert_false(cpuid_wants_frequency(&full.table));
    cpuid_prepare(&full.table, 1, true);
    cpuid_set_topology(&full.table, 0, 1);
    assert_int_equal(full.table.header.nent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intel_guest_leaf_by_leaf),
        cmocka_unit_test(an_amd_guest_leaf_by_leaf),
        cmocka_unit_test(other_vendors),
        cmocka_unit_test(one_vcpu_is_a_package_of_one),
        cmocka_unit_test(sixty_four_vcpus_fit),
        cmocka_unit_test(frequency_is_counted_by_the_apic_timers_clock),
        cmocka_unit_test(frequency_is_reported_to_old_processors),
        cmocka_unit_test(names_are_the_hosts),
        cmocka_unit_test(odd_tables_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
