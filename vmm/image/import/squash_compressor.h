/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compressor of libsquashfs that leaves a block as it is unless compression saves two fifths of
 * it. Programs, which LZ4 makes a third smaller, are then read without a decompressor, and texts,
 * which it halves, are compressed: see squash.h for what that saves and costs. libsquashfs alone
 * stores what its LZ4 compressor returns even when that is more than the input; other readers of
 * squashfs take such a block for damage.
 */
#ifndef MICROVM_IMAGE_IMPORT_SQUASH_COMPRESSOR_H
#define MICROVM_IMAGE_IMPORT_SQUASH_COMPRESSOR_H

#include <sqfs/compressor.h>

/* Makes a compressor of these settings; sqfs_destroy() frees it. Returns 0 or an error of
 * libsquashfs. */
int squash_compressor_create(const sqfs_compressor_config_t *config,
                             sqfs_compressor_t **compressor);

#endif
