/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: a guest's processor tells of itself what the machine is, whatever the host's told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/arch/x86_64/cpuid.h"

#define GENU 0x756e6547U
#define AUTH 0x68747541U

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

/* A host with garbage in all that tells of topology. */
static void make_host(struct cpuid_table *table, uint32_t vendor)
{
    memset(table, 0, sizeof(*table));
    add(table, (struct kvm_cpuid_entry2){.function = 0, .eax = 0xd, .ebx = vendor});
    add(table, (struct kvm_cpuid_entry2){.function = 1, .ebx = 0xff0f0800, .edx = 1U << 28});
    add(table, (struct kvm_cpuid_entry2){.function = 4, .index = 0, .eax = 0xffffc121});
    add(table, (struct kvm_cpuid_entry2){.function = 4, .index = 3, .eax = 0xffffc163});
    add(table, (struct kvm_cpuid_entry2){.function = 4, .index = 4, .eax = 0});
    add(table, (struct kvm_cpuid_entry2){.function = 0xb, .index = 0, .eax = 7, .ebx = 9});
    add(table, (struct kvm_cpuid_entry2){.function = 0x1f, .index = 0, .eax = 7, .ebx = 9});
    add(table, (struct kvm_cpuid_entry2){.function = 0x80000001, .ecx = 2});
    add(table, (struct kvm_cpuid_entry2){.function = 0x80000008, .ecx = 0x701f});
    add(table, (struct kvm_cpuid_entry2){.function = 0x8000001e, .eax = 9, .ebx = 0x109, .ecx = 1});
}

static void feature_bits_are_ours(void **state)
{
    struct cpuid_table table;

    (void)state;
    make_host(&table, AUTH);
    cpuid_prepare(&table, 1, true);
    assert_true(leaf(&table, 1, 0)->ecx & 1U << 31); /* a hypervisor is there */
    assert_true(leaf(&table, 1, 0)->ecx & 1U << 24); /* and the deadline timer */
    assert_false(leaf(&table, 1, 0)->edx & 1U << 28);
    assert_int_equal(leaf(&table, 0x80000001, 0)->ecx, 0);
    assert_null(leaf(&table, 0x1f, 0));
    make_host(&table, AUTH);
    cpuid_prepare(&table, 2, false);
    assert_false(leaf(&table, 1, 0)->ecx & 1U << 24);
    assert_true(leaf(&table, 1, 0)->edx & 1U << 28);
    assert_int_equal(leaf(&table, 0x80000001, 0)->ecx, 2);
}

static void topology_is_one_package_of_cores(void **state)
{
    struct cpuid_table table;

    (void)state;
    make_host(&table, GENU);
    cpuid_prepare(&table, 6, true);
    cpuid_set_topology(&table, 5, 6);
    assert_int_equal(leaf(&table, 1, 0)->ebx >> 24, 5);
    assert_int_equal(leaf(&table, 1, 0)->ebx >> 16 & 0xff, 8);
    assert_int_equal(leaf(&table, 1, 0)->ebx & 0xffff, 0x0800);
    assert_int_equal(leaf(&table, 0xb, 0)->eax, 0);
    assert_int_equal(leaf(&table, 0xb, 0)->ebx, 1);
    assert_int_equal(leaf(&table, 0xb, 0)->ecx, 0x100);
    assert_int_equal(leaf(&table, 0xb, 0)->edx, 5);
    assert_int_equal(leaf(&table, 0xb, 1)->eax, 3);
    assert_int_equal(leaf(&table, 0xb, 1)->ebx, 6);
    assert_int_equal(leaf(&table, 0xb, 1)->ecx, 0x201);
    assert_int_equal(leaf(&table, 4, 0)->eax, 0x121 | 7U << 26); /* first level: its own */
    assert_int_equal(leaf(&table, 4, 3)->eax, 0x163 | 7U << 14 | 7U << 26); /* third: shared */
    assert_int_equal(leaf(&table, 4, 4)->eax, 0);
    assert_int_equal(leaf(&table, 0x80000008, 0)->ecx, 0x3005);
    assert_int_equal(leaf(&table, 0x8000001e, 0)->eax, 5);
    assert_int_equal(leaf(&table, 0x8000001e, 0)->ebx, 5);
}

static void one_vcpu_is_a_package_of_one(void **state)
{
    struct cpuid_table table;

    (void)state;
    make_host(&table, GENU);
    cpuid_prepare(&table, 1, true);
    cpuid_set_topology(&table, 0, 1);
    assert_int_equal(leaf(&table, 1, 0)->ebx, 0x00010800);
    assert_int_equal(leaf(&table, 0xb, 1)->eax, 0);
    assert_int_equal(leaf(&table, 0xb, 1)->ebx, 1);
    assert_int_equal(leaf(&table, 0x80000008, 0)->ecx, 0);
}

static void frequency_is_told_where_it_is_read(void **state)
{
    struct cpuid_table table;

    (void)state;
    make_host(&table, AUTH);
    assert_false(cpuid_wants_frequency(&table));
    make_host(&table, GENU);
    assert_true(cpuid_wants_frequency(&table));
    cpuid_set_frequency(&table, 2600000);
    assert_int_equal(leaf(&table, 0, 0)->eax, 0x16);
    assert_int_equal(leaf(&table, 0x15, 0)->eax, 1);
    assert_int_equal(leaf(&table, 0x15, 0)->ebx, 1);
    assert_int_equal(leaf(&table, 0x15, 0)->ecx, 2600000000U);
    assert_int_equal(leaf(&table, 0x16, 0)->eax, 2600);
    make_host(&table, GENU);
    cpuid_set_frequency(&table, 5000000); /* more than the leaf can say */
    assert_null(leaf(&table, 0x15, 0));
}

/* A table that is full already, or empty, is not written beyond. */
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
        cmocka_unit_test(feature_bits_are_ours),
        cmocka_unit_test(topology_is_one_package_of_cores),
        cmocka_unit_test(one_vcpu_is_a_package_of_one),
        cmocka_unit_test(frequency_is_told_where_it_is_read),
        cmocka_unit_test(odd_tables_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
