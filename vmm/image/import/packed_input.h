/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file under a libarchive reader. Gzip is unpacked here by zlib, which checks the checksum and
 * length at the end of each member (RFC 1952, 2.3.1): libarchive does not, and would load a damaged
 * archive. libarchive unpacks and checks the other formats.
 */
#ifndef MICROVM_IMAGE_IMPORT_PACKED_INPUT_H
#define MICROVM_IMAGE_IMPORT_PACKED_INPUT_H

#include <archive.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

struct packed_input;

/*
 * Opens `archive`, whose formats the caller has set, on the regular file `fd` (borrowed) from its
 * present position, with the filters for zstd, xz and bzip2. *input belongs to the archive, and
 * archive_read_free() frees it, also after a failure. Several gzip members are one stream; bytes
 * after the last are ignored, as gzip(1) does. Errors: ENOMEM, EBADMSG, of read(2).
 */
int packed_input_open(struct archive *archive, int fd, struct packed_input **input,
                      struct error *err);

/* Bytes of the file that were read since the last call. */
uint64_t packed_input_take_count(struct packed_input *input);

/* Is the open archive compressed? Known after its first header was read. */
bool packed_input_is_compressed(const struct packed_input *input);

#endif
