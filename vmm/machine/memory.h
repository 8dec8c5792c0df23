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
 * Maps `bytes` (a whole number of pages is made of it). Nothing is reserved: pages come as they are
 * touched, huge ones where the system has them.
 */
int memory_create(uint64_t bytes, struct machine_memory *memory, struct error *err);
/* Gives it to the VM `vm_fd`. */
int memory_attach(const struct machine_memory *memory, int vm_fd, struct error *err);
void memory_destroy(struct machine_memory *memory);

#endif
