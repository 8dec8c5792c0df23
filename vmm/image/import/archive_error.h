/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of libarchive as failures of ours. */
#ifndef MICROVM_IMAGE_IMPORT_ARCHIVE_ERROR_H
#define MICROVM_IMAGE_IMPORT_ARCHIVE_ERROR_H

#include <archive.h>

#include "vmm/base/error.h"

/* Takes over the message. EBADMSG for whatever is the archive's own fault, else the errno. */
int archive_error_take(struct archive *archive, struct error *err);

#endif
