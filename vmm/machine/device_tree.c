/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree: all that the guest's kernel needs to know about the VM. The architecture adds
 * processors and interrupt controllers (arch_tree_add()); devices are the same everywhere.
 * (Devicetree specification 0.4; Linux: bindings/virtio/mmio.yaml.)
 */
#include "vmm/machine/device_tree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>

#include "devices/virtio/mmio.h"

static int add_device(void *tree, unsigned index)
{
    struct arch_device_slot slot = arch_device_slot(index);
    const fdt64_t reg[2] = {cpu_to_fdt64(slot.base), cpu_to_fdt64(VIRTIO_MMIO_SIZE)};
    uint32_t cells[3];
    unsigned cell_count = arch_tree_interrupt(slot.interrupt, cells);
    char name[40];

    snprintf(name, sizeof(name), "virtio_mmio@%llx", (unsigned long long)slot.base);
    return fdt_begin_node(tree, name) || fdt_property_string(tree, "compatible", "virtio,mmio") ||
           fdt_property(tree, "reg", reg, sizeof(reg)) ||
           fdt_property(tree, "interrupts", cells, (int)(cell_count * sizeof(cells[0]))) ||
           fdt_end_node(tree);
}

long tree_build(unsigned vcpu_count, unsigned device_count, void *tree, size_t limit,
                struct error *err)
{
    int failed = fdt_create(tree, (int)limit) || fdt_finish_reservemap(tree) ||
                 fdt_begin_node(tree, "") || fdt_property_u32(tree, "#address-cells", 2) ||
                 fdt_property_u32(tree, "#size-cells", 2) ||
                 fdt_property_u32(tree, "interrupt-parent", ARCH_TREE_INTERRUPT_PARENT) ||
                 fdt_property_string(tree, "compatible", "microvm") ||
                 fdt_property_string(tree, "model", "microvm");

    if (!failed) {
        int rc = arch_tree_add(tree, vcpu_count, err);

        if (rc < 0)
            return rc;
    }
    for (unsigned i = 0; i < device_count; i++)
        failed = failed || add_device(tree, i);
    if (failed || fdt_end_node(tree) || fdt_finish(tree))
        return error_set(err, ENOSPC, "device tree: does not fit into %zu bytes", limit);
    return (long)fdt_totalsize(tree);
}
