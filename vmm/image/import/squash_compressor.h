/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compressor for libsquashfs that stores a block uncompressed unless compression saves two fifths
 * of it. So programs, which LZ4 makes a third smaller, are read without a decompressor, and texts,
 * which it halves, are compressed: squash.c has the trade-off. Without it, libsquashfs stores the
 * result of its LZ4 compressor even if it is larger than the input; other readers of squashfs treat
 * such a block as damaged.
 */
#ifndef MICROVM_IMAGE_IMPORT_SQUASH_COMPRESSOR_H
#define MICROVM_IMAGE_IMPORT_SQUASH_COMPRESSOR_H

#include <sqfs/compressor.h>

/* Creates a compressor with these settings; sqfs_destroy() frees it. Returns 0 or an error of
 * libsquashfs. */
int squash_compressor_create(const sqfs_compressor_config_t *config,
                             sqfs_compressor_t **compressor);

#endif
