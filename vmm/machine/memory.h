/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: one mapping, announced to KVM as one slot a region. */
#ifndef MICROVM_MACHINE_MEMORY_H
#define MICROVM_MACHINE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/base/error.h"
#include "vmm/machine/spec.h"

struct machine_memory {
    struct guest_memory guest;
    void *mapping; /* NULL = none */
    size_t mapping_size;
};

/*
 * Maps `bytes`, rounded up to whole pages. Nothing is reserved: pages are allocated when touched.
 * It is never part of a core dump. Backings:
 *   - ANONYMOUS: pages of this process, huge ones if the host has them.
 *   - MEMFD: a memory file, mapped shared, that cannot grow or shrink, so that no other owner of it
 *     can take pages from the guest; memory->guest.fd, owned by the memory.
 *   - FILE: a private mapping of `file_fd` (-1 with the others), which is not taken over: what the
 *     guest reads is the file's until it has written there, and the file never changes. The file
 *     holds the regions one behind the other, and must not shrink while it is mapped. Huge pages
 *     are the file system's business.
 * Errors: EINVAL (the file is smaller than the memory), those of mmap(2) and memfd_create(2).
 */
int memory_create(uint64_t bytes, enum machine_memory_backing backing, int file_fd,
                  struct machine_memory *memory, struct error *err);
/* Attaches it to the VM `vm_fd`. */
int memory_attach(const struct machine_memory *memory, int vm_fd, struct error *err);
void memory_destroy(struct machine_memory *memory);

#endif
