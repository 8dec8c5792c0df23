/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: guest memory: one anonymous mapping, announced to KVM as one slot a region. */
#ifndef MICROVM_MACHINE_MEMORY_H
#define MICROVM_MACHINE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "devices/guest_memory.h"
#include "vmm/base/error.h"

struct machine_memory {
    struct guest_memory guest;
    void *mapping; /* NULL = none */
    size_t mapping_size;
};

/*
 * Maps `bytes` (a whole number of pages is made of it) for the VM `vm_fd`. Nothing is reserved:
 * pages come as the guest touches them, huge ones where the system has them.
 */
int memory_create(uint64_t bytes, int vm_fd, struct machine_memory *memory, struct error *err);
void memory_destroy(struct machine_memory *memory);

#endif
