/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one translator from guest-physical addresses to host memory.
 *
 * A guest address has its own struct type, so that unchecked use does not compile. Address and
 * length are translated together; a range that leaves its region, or overflows, has no translation.
 * The guest can change translated memory at any time: copy a shared structure once, then only use
 * the copy.
 */
#ifndef MICROVM_DEVICES_GUEST_MEMORY_H
#define MICROVM_DEVICES_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint64_t value;
} guest_addr;

#define GUEST_ADDR(number) ((guest_addr){(number)})

struct guest_memory_region {
    uint64_t base; /* guest-physical address of the first byte */
    uint64_t size; /* bytes */
    uint8_t *host; /* where it is mapped in this process; owned by the creator of the mapping */
};

#define GUEST_MEMORY_REGIONS 2

struct guest_memory {
    struct guest_memory_region regions[GUEST_MEMORY_REGIONS];
    unsigned count;
    /*
     * Whether other processes may map it, too (a vhost-user back end does): then `fd`, owned by the
     * creator of the mapping, holds the regions one after the other; see guest_memory_offset().
     */
    bool shared;
    int fd;
};

/* The offset of region `index` in the shared memory's descriptor. */
static inline uint64_t guest_memory_offset(const struct guest_memory *memory, unsigned index)
{
    uint64_t offset = 0;

    for (unsigned i = 0; i < index; i++)
        offset += memory->regions[i].size;
    return offset;
}

/* Host address of `size` (> 0) bytes at `addr`, or NULL unless all are inside one region. */
void *guest_memory_at(const struct guest_memory *memory, guest_addr addr, uint64_t size);

/*
 * Copies `size` bytes of guest memory, already translated, exactly once: after the barrier the
 * compiler cannot read the original again, which the guest may have changed meanwhile.
 */
static inline void guest_memory_fetch(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    __asm__ volatile("" : : : "memory");
}

/* Copies between guest memory and `data`. Returns false, and copies nothing, if the range is
 * outside of guest memory. */
bool guest_memory_read(const struct guest_memory *memory, guest_addr addr, void *data, size_t size);
bool guest_memory_write(const struct guest_memory *memory, guest_addr addr, const void *data,
                        size_t size);

#endif
