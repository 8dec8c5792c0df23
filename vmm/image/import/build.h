/* SPDX-License-Identifier: Apache-2.0 */
/* From staged layers to a staged root file system. */
#ifndef MICROVM_IMAGE_IMPORT_BUILD_H
#define MICROVM_IMAGE_IMPORT_BUILD_H

#include "vmm/image/import/import.h"
#include "vmm/image/import/spool.h"
#include "vmm/image/import/tree.h"

/* The tree under construction and the contents of its files. */
struct build {
    struct tree *tree;
    struct spool spool;
};

/* build_end() is required after a failure, too. */
int build_begin(struct import *import, struct build *build, struct error *err);
void build_end(struct build *build);
#define AUTO_BUILD __attribute__((cleanup(build_end)))

/* Applies the next staged layer. `wanted`, if not null, must be its diff_id; `diff_id`, if not
 * null, gets its SHA-256 one. Errors: those of layer_apply(), EBADMSG (diff_id differs). */
int build_add_layer(const struct import *import, struct build *build,
                    const struct image_layer *layer, const char *wanted, char diff_id[DIGEST_SIZE],
                    struct error *err);

/*
 * Stages the parts of the root of the image with this config. Creates the volumes and the working
 * directory in the root, as docker does for a container.
 */
int build_finish(struct import *import, struct build *build, const struct image_config *config,
                 const char *config_digest, struct error *err);

#endif
