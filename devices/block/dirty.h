/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of a disk were written since the last flush, so that a flush can be done
 * part by part: fdatasync(2) of all that a guest has left in the page cache may take minutes, in
 * which nothing, not even SIGKILL, ends the thread that waits in it.
 */
#ifndef MICROVM_DEVICES_BLOCK_DIRTY_H
#define MICROVM_DEVICES_BLOCK_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#define DIRTY_PARTS 32768U

struct dirty {
    uint64_t part_size; /* bytes, power of two; 4 MiB for disks of up to 128 GiB */
    uint32_t count;     /* of parts marked */
    uint32_t next;      /* word of marks in which dirty_take() looks first */
    uint64_t marks[DIRTY_PARTS / 64];
};

/* For a disk of `size` bytes; nothing is marked. */
void dirty_init(struct dirty *dirty, uint64_t size);

/* `size` bytes from `offset` on, within the disk, were written. */
void dirty_mark(struct dirty *dirty, uint64_t offset, uint64_t size);

/* Unmarks one part, and says where it begins. Returns false when none is marked. */
bool dirty_take(struct dirty *dirty, uint64_t *offset);

#endif
