/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the parts of loading a kernel: an ELF file into memory, a bzImage to an ELF file. */
#ifndef MICROVM_ARCH_X86_64_BOOT_H
#define MICROVM_ARCH_X86_64_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/arch/arch.h"
#include "vmm/base/error.h"

#define BOOT_HEAD_SIZE                                                                             \
    4096 /* bytes of a kernel file that tell what it is and where its parts are */

/* Whether `head` begins an ELF file, or is the setup header of a bzImage. */
bool elf_is_kernel(const uint8_t *head, size_t size);
bool bzimage_is_kernel(const uint8_t *head, size_t size);

/*
 * Reads the segments of the ELF file `fd`, of which `head` is the start, into memory below `limit`,
 * and notes its entry. Errors: ENOEXEC, ENOMEM.
 */
int elf_load(int fd, const char *name, const uint8_t *head, size_t head_size,
             const struct guest_memory *memory, uint64_t limit, struct arch_boot *boot,
             struct error *err);

/* Unpacks the kernel in the bzImage `fd` (setup header in `head`) to a new file in *elf_fd. */
int bzimage_unpack(int fd, const char *name, const uint8_t head[BOOT_HEAD_SIZE], int *elf_fd,
                   struct error *err);

/* Reads `size` bytes of the file `fd` from `offset` into guest memory, and counts them. */
int boot_read_file(int fd, const char *name, uint64_t offset, uint64_t size,
                   const struct guest_memory *memory, uint64_t address, struct arch_boot *boot,
                   struct error *err);

#endif
