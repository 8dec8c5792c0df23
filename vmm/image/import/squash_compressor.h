/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: a compressor of libsquashfs that never makes anything larger. libsquashfs 1.2 stores
 * what its LZ4 compressor returns even when that is more than the input; other readers of squashfs
 * take such a block for damage. Here the block stays as it was.
 */
#ifndef MICROVM_IMAGE_IMPORT_SQUASH_COMPRESSOR_H
#define MICROVM_IMAGE_IMPORT_SQUASH_COMPRESSOR_H

#include <sqfs/compressor.h>

/* Makes a compressor of these settings; sqfs_destroy() frees it. Returns 0 or an error of
 * libsquashfs. */
int squash_compressor_create(const sqfs_compressor_config_t *config,
                             sqfs_compressor_t **compressor);

#endif
