/* SPDX-License-Identifier: Apache-2.0 */
/* Marks the written parts of a disk; see dirty.h. */
#include "devices/block/dirty.h"

#include "vmm/base/bytes.h"

#define PART_SIZE_MIN (UINT64_C(4) << 20)

void dirty_init(struct dirty *dirty, uint64_t size)
{
    *dirty = (struct dirty){.part_size = PART_SIZE_MIN};
    while ((size - 1) / dirty->part_size >= DIRTY_PARTS)
        dirty->part_size *= 2;
}

void dirty_mark(struct dirty *dirty, uint64_t offset, uint64_t size)
{
    uint64_t last = (offset + size - 1) / dirty->part_size;

    for (uint64_t part = offset / dirty->part_size; size > 0 && part <= last; part++) {
        uint64_t bit = UINT64_C(1) << part % 64;

        if (!(dirty->marks[part / 64] & bit))
            dirty->count++;
        dirty->marks[part / 64] |= bit;
    }
}

bool dirty_take(struct dirty *dirty, uint64_t *offset)
{
    uint64_t *word;

    if (dirty->count == 0)
        return false;
    while (dirty->marks[dirty->next] == 0)
        dirty->next = (dirty->next + 1) % ARRAY_LENGTH(dirty->marks);
    word = &dirty->marks[dirty->next];
    *offset = (dirty->next * UINT64_C(64) + (uint64_t)__builtin_ctzll(*word)) * dirty->part_size;
    *word &= *word - 1;
    dirty->count--;
    return true;
}
