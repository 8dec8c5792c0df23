/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel as a bzImage (Linux, x86/boot.rst). */
#ifndef MICROVM_ARCH_X86_64_BZIMAGE_H
#define MICROVM_ARCH_X86_64_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

/* Bytes of a kernel file that hold its format and the offsets of its parts. */
#define BZIMAGE_HEAD_SIZE 4096

/* Whether `head` is the setup header of a bzImage. */
bool bzimage_is_kernel(const uint8_t *head, size_t size);

/* Unpacks the kernel in the bzImage `fd` (setup header in `head`) to a new file in *elf_fd. */
int bzimage_unpack(int fd, const char *name, const uint8_t head[BZIMAGE_HEAD_SIZE], int *elf_fd,
                   struct error *err);

#endif
