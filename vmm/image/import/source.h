/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input of an import, of any kind, as named members: an OCI layout (directory or archive), a
 * docker archive (packed or unpacked), or a plain root file system (directory or archive). Members
 * that no image needs are ignored.
 *
 * An archive is read in place, header by header, seeking over contents; only an input that cannot
 * seek (a pipe), or would have to be decompressed repeatedly, is first copied to a spool.
 */
#ifndef MICROVM_IMAGE_IMPORT_SOURCE_H
#define MICROVM_IMAGE_IMPORT_SOURCE_H

#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/digest.h"

enum source_kind { SOURCE_OCI, SOURCE_DOCKER, SOURCE_ROOT };

struct import;
struct source;

/*
 * Opens `fd` (a file, a pipe or a directory; borrowed) and determines its kind. A directory that is
 * a root file system is packed here, so that only members of image layouts are opened later, by
 * microvm. An archive with ".." is refused; of two members with the same name the last counts; a
 * leading '/' is ignored. `import` is borrowed. Errors: of read(2), EBADMSG (damaged, or an image
 * that lacks something), ENOTSUP, EINVAL.
 */
int source_open(struct import *import, int fd, struct source **source, struct error *err);
void source_close(struct source *source);

enum source_kind source_kind(const struct source *source);

/* Reads a small member; a NUL follows the data, which the caller frees. Errors: ENOENT, EFBIG (over
 * STORE_JSON_MAX), EBADMSG. */
int source_read(struct source *source, const char *name, char **data, size_t *size,
                struct error *err);

/* A copy of a member: a file of the import. */
struct source_copy {
    int fd; /* the caller closes it */
    uint32_t number;
    uint64_t size;
    char digest[DIGEST_SIZE];
};

/*
 * Copies a member to a new file of the import; on failure copy->fd is -1. `name` null copies the
 * layer of a SOURCE_ROOT: the archive unchanged (xz and bzip2 unpacked, since OCI has no such
 * layers), or the directory packed as a tar archive. Zeros become holes.
 */
int source_copy(struct source *source, const char *name, struct source_copy *copy,
                struct error *err);

#endif
