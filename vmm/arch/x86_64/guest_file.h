/* SPDX-License-Identifier: Apache-2.0 */
/* Read a file into guest memory. */
#ifndef MICROVM_ARCH_X86_64_GUEST_FILE_H
#define MICROVM_ARCH_X86_64_GUEST_FILE_H

#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/arch/arch.h"
#include "vmm/base/error.h"

/* Reads `size` bytes of the file `fd` from `offset` into guest memory, and counts them. Errors:
 * ENOMEM (does not fit), ENOEXEC (truncated), of read(2). */
int guest_file_read(int fd, const char *name, uint64_t offset, uint64_t size,
                    const struct guest_memory *memory, uint64_t address, struct arch_boot *boot,
                    struct error *err);

#endif
