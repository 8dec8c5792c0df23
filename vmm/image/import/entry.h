/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive says of one entry, as an inode of the tree. */
#ifndef MICROVM_IMAGE_IMPORT_ENTRY_H
#define MICROVM_IMAGE_IMPORT_ENTRY_H

#include <archive_entry.h>

#include "vmm/base/error.h"
#include "vmm/image/import/tree.h"

/*
 * Makes an inode of everything but a file's content. Left out, because squashfs or the guest could
 * make nothing of it: times before 1970 (become 1970) and parts of seconds, POSIX access lists, and
 * overlayfs's own attributes, which would tell the guest's overlay to look elsewhere.
 * Errors: EINVAL (numbers out of range), ENOTSUP (type), E2BIG (attributes), ENOMEM.
 */
int entry_to_inode(struct archive_entry *entry, struct tree_inode **inode, struct error *err);

#endif
