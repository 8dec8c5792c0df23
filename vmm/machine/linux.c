/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: a Linux guest; see linux.h. */
#include "vmm/machine/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/machine/device_tree.h"

#define TAIL_MAX (UINT64_C(64) << 20)

/* panic=-1: a panic resets at once, and that ends the machine. A user's words come last and win. */
#define COMMAND_LINE_QUIET "console=hvc0 panic=-1 quiet"
#define COMMAND_LINE_EARLY "console=hvc0 panic=-1"

static int open_file(const char *what, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd < 0 ? error_set_errno(err, errno, "%s %s", what, path) : fd;
}

int linux_open(const struct machine_spec *spec, struct linux_guest *linux_guest, struct error *err)
{
    struct arch_boot_input *input = &linux_guest->input;

    if (!spec->kernel_path)
        return error_set(err, EINVAL, "no kernel: give one by --kernel");
    input->kernel_name = spec->kernel_path;
    input->kernel_fd = open_file("kernel", spec->kernel_path, err);
    if (input->kernel_fd < 0)
        return input->kernel_fd;
    if (spec->initramfs_path) {
        input->initramfs_fd = open_file("initramfs", spec->initramfs_path, err);
        if (input->initramfs_fd < 0)
            return input->initramfs_fd;
    }
    if (spec->initramfs_tail_path) {
        int rc = io_read_file(AT_FDCWD, spec->initramfs_tail_path, TAIL_MAX, &linux_guest->tail,
                              &input->initramfs_tail_size, err);

        if (rc < 0)
            return rc;
        input->initramfs_tail = linux_guest->tail;
    }
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

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
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

void linux_release(struct linux_guest *linux_guest)
{
    close_fd(&linux_guest->input.kernel_fd);
    close_fd(&linux_guest->input.initramfs_fd);
    free(linux_guest->tail);
    free(linux_guest->command_line);
    linux_guest->tail = NULL;
    linux_guest->command_line = NULL;
}
