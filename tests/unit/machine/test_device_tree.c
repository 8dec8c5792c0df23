/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree has what Linux reads, and the tree compiler finds no error. Most of it is for
 * x86_64, same as vmm/arch/x86_64/platform_nodes.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libfdt.h>

#include "tests/unit/unit.h"
#include "vmm/machine/device_tree.h"

static uint64_t tree[16384];

static void build(unsigned vcpus, unsigned devices)
{
    struct error err = ERROR_INIT;
    long size = tree_build(vcpus, devices, tree, sizeof(tree), &err);

    assert_true(size > 0);
    assert_int_equal(fdt_check_full(tree, (size_t)size), 0);
}

static unsigned children(const char *path)
{
    int parent = fdt_path_offset(tree, path);
    unsigned count = 0;
    int node;

    fdt_for_each_subnode(node, tree, parent) count++;
    return count;
}

static void processors_are_listed(void **state)
{
    (void)state;
    for (unsigned vcpus = 1; vcpus <= 64; vcpus *= 4) {
        char path[32];
        int length;
        const fdt32_t *reg;

        build(vcpus, 3);
        assert_int_equal(children("/cpus"), vcpus);
        snprintf(path, sizeof(path), "/cpus/cpu@%x", vcpus - 1);
        reg = fdt_getprop(tree, fdt_path_offset(tree, path), "reg", &length);
        assert_int_equal(length, 4);
        assert_int_equal(fdt32_to_cpu(*reg), vcpus - 1);
    }
}

static void devices_are_listed(void **state)
{
    int length;
    int node;
    int last = -1;
    unsigned count = 0;
    const fdt64_t *reg;

    (void)state;
    build(1, 11);
    for (node = fdt_node_offset_by_compatible(tree, -1, "virtio,mmio"); node >= 0;
         node = fdt_node_offset_by_compatible(tree, node, "virtio,mmio")) {
        struct arch_device_slot slot = arch_device_slot(count++);
        uint32_t cells[3];
        unsigned cell_count = arch_tree_interrupt(slot.interrupt, cells);

        reg = fdt_getprop(tree, node, "reg", &length);
        assert_int_equal(length, 16);
        assert_true(fdt64_ld(&reg[0]) == slot.base);
        assert_memory_equal(fdt_getprop(tree, node, "interrupts", &length), cells,
                            cell_count * sizeof(cells[0]));
        last = node;
    }
    assert_int_equal(count, 11);
    assert_true(last > 0);
    node = fdt_node_offset_by_phandle(tree, ARCH_TREE_INTERRUPT_PARENT);
    assert_non_null(fdt_getprop(tree, node, "interrupt-controller", NULL));
}

/* dtc reads the tree and writes it as source, without warnings. */
static void compiler_finds_no_fault(void **state)
{
    char path[] = "/tmp/microvm-tree-XXXXXX";
    char command[128];
    char output[512];
    size_t used;
    FILE *dtc;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    build(4, 4);
    assert_true(write(fd, tree, fdt_totalsize(tree)) == (ssize_t)fdt_totalsize(tree));
    close(fd);
    snprintf(command, sizeof(command), "dtc -I dtb -O dts -o /dev/null %s 2>&1", path);
    dtc = popen(command, "r");
    assert_non_null(dtc);
    used = fread(output, 1, sizeof(output) - 1, dtc);
    output[used] = '\0';
    assert_int_equal(pclose(dtc), 0);
    unlink(path);
    assert_string_equal(output, "");
}

static void too_little_room_is_an_error(void **state)
{
    long need;

    (void)state;
    build(64, ARCH_DEVICE_SLOTS);
    need = (long)fdt_totalsize(tree);
    for (long room = 0; room < need; room += 97) {
        struct error err = ERROR_INIT;

        assert_true(tree_build(64, ARCH_DEVICE_SLOTS, tree, (size_t)room, &err) == -ENOSPC);
        assert_string_not_equal(err.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_are_listed),
        cmocka_unit_test(devices_are_listed),
        cmocka_unit_test(compiler_finds_no_fault),
        cmocka_unit_test(too_little_room_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
