/* SPDX-License-Identifier: Apache-2.0 */
/* A Linux guest: its files, its command line, its place in memory. */
#ifndef MICROVM_MACHINE_LINUX_H
#define MICROVM_MACHINE_LINUX_H

#include "vmm/arch/arch.h"
#include "vmm/base/error.h"
#include "vmm/base/fd_table.h"
#include "vmm/machine/spec.h"

struct linux_guest {
    struct arch_boot_input input;
    char *command_line; /* complete */
    struct arch_boot boot;
};

#define LINUX_GUEST_INIT                                                                           \
    {                                                                                              \
        .input = {.kernel_fd = -1, .initramfs_fd = -1},                                            \
    }

/* Takes its files from the table, and builds the command line. Errors: EINVAL (no kernel). */
int linux_open(const struct machine_spec *spec, struct fd_table *descriptors,
               struct linux_guest *linux_guest, struct error *err);

/* Loads them into memory. */
int linux_load(const struct guest_memory *memory, struct linux_guest *linux_guest,
               struct error *err);

/* Writes the device tree and the boot parameters. */
int linux_finish(const struct machine_spec *spec, unsigned device_count,
                 const struct guest_memory *memory, struct linux_guest *linux_guest,
                 struct error *err);

/* Closes its files, once they are in memory. */
void linux_close(struct linux_guest *linux_guest);
void linux_release(struct linux_guest *linux_guest);

#endif
