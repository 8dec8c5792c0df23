/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a libarchive reader, and its failures as our own. */
#ifndef MICROVM_IMAGE_IMPORT_ARCHIVE_ERROR_H
#define MICROVM_IMAGE_IMPORT_ARCHIVE_ERROR_H

#include <archive.h>

#include "vmm/base/error.h"

/* See cleanup.h. */
#define AUTO_ARCHIVE __attribute__((cleanup(archive_error_free_reader)))
static inline void archive_error_free_reader(struct archive **archive)
{
    archive_read_free(*archive); /* null is fine */
}

/* Copies the message. Returns -EBADMSG if the archive is at fault, else the negative errno. */
int archive_error_take(struct archive *archive, struct error *err);

#endif
