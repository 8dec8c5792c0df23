/* SPDX-License-Identifier: Apache-2.0 */
/* The disk of a container's writable layer (--disk). */
#ifndef MICROVM_SANDBOX_WRITABLE_DISK_H
#define MICROVM_SANDBOX_WRITABLE_DISK_H

#include <stdint.h>

#include "vmm/base/error.h"

/*
 * Makes a sparse file of `size` bytes with an empty ext4 in $TMPDIR, else /var/tmp. The file has no
 * name: it is gone with the last process that has it open, however that ends. Returns its
 * descriptor, which the caller owns. Errors: ENOENT (no mke2fs), EIO (mke2fs failed), of open(2)
 * and ftruncate(2).
 */
int disk_create(uint64_t size, struct error *err);

#endif
