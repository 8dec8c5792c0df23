/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A temporary file for data that is too large for memory: the contents of files, between the
 * archive and the squashfs. microvm creates it, and removes it at the end of the import.
 */
#ifndef MICROVM_IMAGE_IMPORT_SPOOL_H
#define MICROVM_IMAGE_IMPORT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/import/budget.h"

struct spool {
    int fd;
    uint64_t size;
    struct budget *budget; /* borrowed; null: none */
};

/* Takes ownership of `fd`, an empty file. */
void spool_open(struct spool *spool, int fd, struct budget *budget);

/* Frees the file's space. */
void spool_close(struct spool *spool);

/* Appends; the data begins at the former spool->size. Errors: of write(2), EDQUOT. */
int spool_append(struct spool *spool, const void *data, size_t size, struct error *err);

/* Reads exactly `size` bytes. Errors: of pread(2), EIO if the file is shorter. */
int spool_read(const struct spool *spool, uint64_t offset, void *data, size_t size,
               struct error *err);

#endif
