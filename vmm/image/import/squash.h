/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write the merged tree as one squashfs (with libsquashfs), reproducibly: entries are ordered by
 * name, times are those of the archives, and the clock is not used.
 */
#ifndef MICROVM_IMAGE_IMPORT_SQUASH_H
#define MICROVM_IMAGE_IMPORT_SQUASH_H

#include "vmm/base/error.h"
#include "vmm/image/import/spool.h"
#include "vmm/image/import/tree.h"

/* Writes to the empty file `fd`, padded to whole pages. Marks the tree's inodes: a tree can be
 * written once. Errors: of write(2), E2BIG (more than 65535 owners and groups), ENOMEM. */
int squash_write(struct tree *tree, const struct spool *spool, int fd, struct error *err);

#endif
