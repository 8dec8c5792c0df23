/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of a disk were written since the last flush, so that a flush can proceed part by
 * part: one fdatasync(2) of all dirty pages of a guest may take minutes, in which nothing, not even
 * SIGKILL, ends the waiting thread.
 */
#ifndef MICROVM_DEVICES_BLOCK_DIRTY_H
#define MICROVM_DEVICES_BLOCK_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#define DIRTY_PARTS 32768U

struct dirty {
    uint64_t part_size; /* bytes, power of two; 4 MiB for disks of up to 128 GiB */
    uint32_t count;     /* of marked parts */
    uint32_t next;      /* word of marks at which dirty_take() starts */
    uint64_t marks[DIRTY_PARTS / 64];
};

/* For a disk of `size` bytes; nothing is marked. */
void dirty_init(struct dirty *dirty, uint64_t size);

/* Marks `size` bytes from `offset` on, within the disk, as written. */
void dirty_mark(struct dirty *dirty, uint64_t offset, uint64_t size);

/* Unmarks one part, and returns its offset in *offset. Returns false if none is marked. */
bool dirty_take(struct dirty *dirty, uint64_t *offset);

#endif
