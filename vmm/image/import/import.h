/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: one import as a transaction: everything is made and verified in a directory of its own
 * inside the store (tmp/NAME, locked), then renamed into place under the store's lock, and named
 * last. Whatever goes wrong before leaves the store as it was.
 */
#ifndef MICROVM_IMAGE_IMPORT_IMPORT_H
#define MICROVM_IMAGE_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/config.h"
#include "vmm/image/import/source.h"
#include "vmm/image/reference.h"

/* An image that the import will name. */
struct imported_image {
    char name[REFERENCE_TEXT_SIZE]; /* "" for none */
    char manifest_digest[DIGEST_SIZE];
    uint64_t manifest_size;
    char config_digest[DIGEST_SIZE];
};

struct import {
    const char *store_path; /* borrowed */
    int directory;          /* tmp/NAME, whose lock says that we are alive */
    char name[32];
    struct string_list staged; /* files in tmp/NAME: "HEX", "HEX.squashfs", ... */
    struct imported_image *images;
    size_t image_count;
};

/* Makes the store if it is missing, and the temporary directory. Errors: of store_open(). */
int import_begin(const char *store_path, struct import *import, struct error *err);

/* Takes the temporary directory away; after import_commit() too. */
void import_end(struct import *import);

/* Stages a document as a blob; `digest` gets its digest. */
int import_stage_text(struct import *import, const char *text, size_t size,
                      char digest[DIGEST_SIZE], struct error *err);

/*
 * Stages a member of the source (null: its root layer) as a blob. With layer->digest set, digest
 * and size must be those of `layer`; else they are filled in. Errors: EBADMSG (digest or size
 * differs).
 */
int import_stage_layer(struct import *import, struct source *source, const char *member,
                       struct image_layer *layer, struct error *err);

/* Removes everything staged so far, because the store has it already. */
void import_discard(struct import *import);

/* Opens a staged blob for reading. Errors: of open(2). */
int import_open_blob(const struct import *import, const char *digest, struct error *err);

/*
 * Is an image with this config, its layers and its root already in the store, undamaged as far as
 * documents go? Then fills `image` (but not its name) and returns 1; else 0.
 */
int import_find_stored(const struct import *import, const char *config_digest,
                       struct imported_image *image);

/* Adds an image for import_commit() to name. Errors: ENOMEM. */
int import_add_image(struct import *import, const struct imported_image *image, struct error *err);

/* Moves everything into the store and names the images. */
int import_commit(struct import *import, struct error *err);

#endif
