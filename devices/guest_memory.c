/* SPDX-License-Identifier: Apache-2.0 */
/* The one translator from guest-physical addresses to host memory; see guest_memory.h. */
#include "devices/guest_memory.h"

#include <string.h>

void *guest_memory_at(const struct guest_memory *memory, guest_addr addr, uint64_t size)
{
    if (size == 0)
        return NULL;
    for (unsigned i = 0; i < memory->count; i++) {
        const struct guest_memory_region *region = &memory->regions[i];
        uint64_t offset = addr.value - region->base;

        /* Subtract before comparing: no sum of two numbers from the guest can wrap around, and an
         * address below the region gets an offset beyond any size. */
        if (offset < region->size && size <= region->size - offset)
            return region->host + offset;
    }
    return NULL;
}

bool guest_memory_read(const struct guest_memory *memory, guest_addr addr, void *data, size_t size)
{
    const void *from = guest_memory_at(memory, addr, size);

    if (!from)
        return false;
    guest_memory_fetch(data, from, size);
    return true;
}

bool guest_memory_write(const struct guest_memory *memory, guest_addr addr, const void *data,
                        size_t size)
{
    void *to = guest_memory_at(memory, addr, size);

    if (!to)
        return false;
    memcpy(to, data, size);
    return true;
}
