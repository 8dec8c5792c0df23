/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read one layer, a tar archive that may be compressed, into the tree, in one pass: decompress,
 * hash (the digest is the layer's diff_id), parse, contents into the spool.
 */
#ifndef MICROVM_IMAGE_IMPORT_LAYER_H
#define MICROVM_IMAGE_IMPORT_LAYER_H

#include "vmm/base/error.h"
#include "vmm/image/digest.h"
#include "vmm/image/import/spool.h"
#include "vmm/image/import/tree.h"

/* Applies the archive at `fd` (read from its present position to its end; plain, gzip, zstd or xz,
 * detected by their first bytes) as the next layer. `diff_id` gets the digest of the uncompressed
 * archive. Errors: EBADMSG (damaged archive), those of tree_add(), of write(2). */
int layer_apply(int fd, struct tree *tree, struct spool *spool, char diff_id[DIGEST_SIZE],
                struct error *err);

/* The digest of the uncompressed archive with the algorithm of `like`: another pass, for the rare
 * config that has diff_ids of SHA-512. Errors: EBADMSG, of lseek(2). */
int layer_digest(int fd, struct spool *spool, const char *like, char digest[DIGEST_ANY_SIZE],
                 struct error *err);

#endif
