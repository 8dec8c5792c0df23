/* SPDX-License-Identifier: Apache-2.0 */
/* Translate one entry of an archive into an inode of the tree. */
#ifndef MICROVM_IMAGE_IMPORT_ENTRY_H
#define MICROVM_IMAGE_IMPORT_ENTRY_H

#include <archive_entry.h>

#include "vmm/base/error.h"
#include "vmm/image/import/tree.h"

/*
 * Creates an inode of everything except a file's content. Drops what squashfs or the guest cannot
 * use: times before 1970 (become 1970) and fractions of seconds, POSIX access lists, and
 * overlayfs's attributes, which would redirect the guest's overlay. Errors: EINVAL (numbers out of
 * range), ENOTSUP (type), E2BIG (attributes), ENOMEM.
 */
int entry_to_inode(struct archive_entry *entry, struct tree_inode **inode, struct error *err);

#endif
