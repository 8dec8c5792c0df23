/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processors and interrupt controllers, in the form in which Linux reads them from a tree on x86
 * (arch/x86/kernel/devicetree.c of Linux: one cpu node a local APIC, "reg" is the APIC ID).
 */
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"

#define IO_APIC_EDGE_RISING 3 /* second cell of an interrupt, of_ioapic_type[] there */

static int add_cpu(void *tree, unsigned id)
{
    char name[16];

    snprintf(name, sizeof(name), "cpu@%x", id);
    return fdt_begin_node(tree, name) || fdt_property_string(tree, "device_type", "cpu") ||
           fdt_property_string(tree, "compatible", "intel,ce4100") ||
           fdt_property_u32(tree, "reg", id) || fdt_end_node(tree);
}

static int add_registers(void *tree, uint64_t base)
{
    const fdt64_t reg[2] = {cpu_to_fdt64(base), cpu_to_fdt64(LAYOUT_PAGE)};

    return fdt_property(tree, "reg", reg, sizeof(reg));
}

static int add_local_apic(void *tree)
{
    return fdt_begin_node(tree, "lapic@fee00000") ||
           fdt_property_string(tree, "compatible", "intel,ce4100-lapic") ||
           add_registers(tree, LAYOUT_LOCAL_APIC) || fdt_end_node(tree);
}

static int add_io_apic(void *tree)
{
    return fdt_begin_node(tree, "interrupt-controller@fec00000") ||
           fdt_property_string(tree, "compatible", "intel,ce4100-ioapic") ||
           fdt_property(tree, "interrupt-controller", NULL, 0) ||
           fdt_property_u32(tree, "#address-cells", 0) ||
           fdt_property_u32(tree, "#interrupt-cells", 2) ||
           fdt_property_u32(tree, "phandle", ARCH_TREE_INTERRUPT_PARENT) ||
           add_registers(tree, LAYOUT_IO_APIC) || fdt_end_node(tree);
}

int arch_tree_add(void *tree, unsigned vcpu_count, struct error *err)
{
    int failed = fdt_begin_node(tree, "cpus") || fdt_property_u32(tree, "#address-cells", 1) ||
                 fdt_property_u32(tree, "#size-cells", 0);

    for (unsigned i = 0; i < vcpu_count; i++)
        failed = failed || add_cpu(tree, i);
    failed = failed || fdt_end_node(tree) || add_local_apic(tree) || add_io_apic(tree);
    if (failed)
        return error_set(err, ENOSPC, "device tree: no room for the processors");
    return 0;
}

unsigned arch_tree_interrupt(uint32_t interrupt, uint32_t cells[3])
{
    cells[0] = cpu_to_fdt32(interrupt);
    cells[1] = cpu_to_fdt32(IO_APIC_EDGE_RISING);
    return 2;
}
