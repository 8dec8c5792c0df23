/* SPDX-License-Identifier: Apache-2.0 */
/* A Linux guest; see linux.h. */
#include "vmm/machine/linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/machine/device_tree.h"

/* panic=-1: a panic resets at once, which ends the VM. The user's parameters come last and win. */
#define COMMAND_LINE_QUIET "console=hvc0 panic=-1 quiet"
#define COMMAND_LINE_EARLY "console=hvc0 panic=-1"

int linux_open(const struct machine_spec *spec, struct fd_table *descriptors,
               struct linux_guest *linux_guest, struct error *err)
{
    struct arch_boot_input *input = &linux_guest->input;

    input->kernel_fd = fd_table_take(descriptors, "kernel");
    if (input->kernel_fd < 0)
        return error_set(err, EINVAL, "no kernel: give one by --kernel");
    input->kernel_name = spec->kernel_name;
    input->initramfs_fd = fd_table_take(descriptors, "initramfs");
    if (asprintf(&linux_guest->command_line, "%s %s%s%s",
                 spec->earlycon ? COMMAND_LINE_EARLY : COMMAND_LINE_QUIET,
                 arch_command_line(spec->earlycon), spec->command_line ? " " : "",
                 spec->command_line ? spec->command_line : "") < 0) {
        linux_guest->command_line = NULL;
        return error_set_errno(err, ENOMEM, "command line");
    }
    input->command_line = linux_guest->command_line;
    return 0;
}

int linux_load(const struct guest_memory *memory, struct linux_guest *linux_guest,
               struct error *err)
{
    return arch_boot_load(&linux_guest->input, memory, &linux_guest->boot, err);
}

int linux_finish(const struct machine_spec *spec, unsigned device_count,
                 const struct guest_memory *memory, struct linux_guest *linux_guest,
                 struct error *err)
{
    struct arch_boot *boot = &linux_guest->boot;
    void *tree = guest_memory_at(memory, GUEST_ADDR(boot->tree_base), boot->tree_limit);
    long size;

    if (!tree)
        return error_set(err, ENOMEM, "memory: no room for the device tree (option -m)");
    size = tree_build(spec->vcpu_count, device_count, tree, boot->tree_limit, err);
    if (size < 0)
        return (int)size;
    return arch_boot_finish(&linux_guest->input, memory, (size_t)size, boot, err);
}

void linux_close(struct linux_guest *linux_guest)
{
    cleanup_close(&linux_guest->input.kernel_fd);
    cleanup_close(&linux_guest->input.initramfs_fd);
    linux_guest->input.kernel_fd = -1;
    linux_guest->input.initramfs_fd = -1;
}

void linux_release(struct linux_guest *linux_guest)
{
    linux_close(linux_guest);
    free(linux_guest->command_line);
    linux_guest->command_line = NULL;
}
