/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write the merged tree as one squashfs (by libsquashfs), the same to the byte for the
 * same tree: entries in order of their names, times from the archives, none of the clock.
 */
#ifndef MICROVM_IMAGE_IMPORT_SQUASH_H
#define MICROVM_IMAGE_IMPORT_SQUASH_H

#include "vmm/base/error.h"
#include "vmm/image/import/spool.h"
#include "vmm/image/import/tree.h"

/* Writes to the empty file `fd`, padded to whole pages. Marks the tree's inodes: one write a tree.
 * Errors: of write(2), E2BIG (more than 65535 owners and groups), ENOMEM. */
int squash_write(struct tree *tree, const struct spool *spool, int fd, struct error *err);

#endif
