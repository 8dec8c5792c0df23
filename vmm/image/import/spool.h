/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: a nameless temporary file that holds what is too large for memory: contents of files
 * between the archive and the squashfs. It vanishes with its descriptor, whatever happens.
 */
#ifndef MICROVM_IMAGE_IMPORT_SPOOL_H
#define MICROVM_IMAGE_IMPORT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

struct spool {
    int fd;
    uint64_t size;
};

/* In the file system of `directory`. Errors: of open(2). */
int spool_create(int directory, struct spool *spool, struct error *err);
void spool_close(struct spool *spool);

/* Appends; the data begins at what spool->size was before. Errors: of write(2). */
int spool_append(struct spool *spool, const void *data, size_t size, struct error *err);

/* Reads exactly `size` bytes. Errors: of pread(2), EIO when they are not there. */
int spool_read(const struct spool *spool, uint64_t offset, void *data, size_t size,
               struct error *err);

#endif
