/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write a cpio archive of the "newc" format, as Linux unpacks its initramfs from (kernel
 * documentation, driver-api/early-userspace/buffer-format.rst), into memory.
 */
#ifndef MICROVM_COMPARE_CPIO_H
#define MICROVM_COMPARE_CPIO_H

#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/error.h"

struct cpio {
    char *data; /* the archive so far */
    size_t size;
    size_t capacity;
    unsigned inode; /* of the last entry */
};

/* Appends a directory or a file, owned by root, of time 0. `path` has no leading slash. Parents
 * come before their children. Errors: ENOMEM, EFBIG (4 GiB and more). */
int cpio_add_directory(struct cpio *cpio, const char *path, mode_t mode, struct error *err);
int cpio_add_file(struct cpio *cpio, const char *path, mode_t mode, const void *data, size_t size,
                  struct error *err);

/* Appends the trailer; nothing may follow. */
int cpio_finish(struct cpio *cpio, struct error *err);

/* Safe on a zeroed object. */
void cpio_release(struct cpio *cpio);

#endif
