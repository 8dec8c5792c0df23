/* SPDX-License-Identifier: Apache-2.0 */
/* Copy a member of the source to a blob of the import. */
#ifndef MICROVM_IMAGE_IMPORT_STAGE_LAYER_H
#define MICROVM_IMAGE_IMPORT_STAGE_LAYER_H

#include "vmm/image/import/import.h"
#include "vmm/image/import/source.h"

/*
 * Stages a member of the source (null: its root layer) as a blob. With layer->digest set, digest
 * and size must be those of `layer`; else they are filled in. Errors: EBADMSG (digest or size
 * differs).
 */
int import_stage_layer(struct import *import, struct source *source, const char *member,
                       struct image_layer *layer, struct error *err);

#endif
