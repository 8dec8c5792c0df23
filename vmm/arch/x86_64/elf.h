/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel as an ELF file (System V ABI, chapter 5). */
#ifndef MICROVM_ARCH_X86_64_ELF_H
#define MICROVM_ARCH_X86_64_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/arch/arch.h"
#include "vmm/base/error.h"

/* Whether `head` is the beginning of an ELF file. */
bool elf_is_kernel(const uint8_t *head, size_t size);

/*
 * Reads the segments of the ELF file `fd`, of which `head` is the start, into memory below `limit`,
 * and notes its entry. Errors: ENOEXEC, ENOMEM.
 */
int elf_load(int fd, const char *name, const uint8_t *head, size_t head_size,
             const struct guest_memory *memory, uint64_t limit, struct arch_boot *boot,
             struct error *err);

#endif
