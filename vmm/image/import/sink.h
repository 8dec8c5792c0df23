/* SPDX-License-Identifier: Apache-2.0 */
/* Write a file: the data is hashed, and zeros become holes. */
#ifndef MICROVM_IMAGE_IMPORT_SINK_H
#define MICROVM_IMAGE_IMPORT_SINK_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/import/budget.h"

struct sink {
    int fd;
    uint64_t size;
    struct sha256_ctx hash;
    struct budget *budget; /* borrowed */
};

/* `fd` and `budget` are borrowed. */
void sink_open(struct sink *sink, int fd, struct budget *budget);
/* Errors: EDQUOT (budget), of write(2). */
int sink_write(struct sink *sink, const void *data, size_t size, struct error *err);

/* Sets the size of the file, whose end may be a hole. */
int sink_finish(struct sink *sink, struct error *err);

#endif
