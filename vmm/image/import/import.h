/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One import, on the side of the program that reads the archive: files that microvm creates for it,
 * and their declared roles. microvm verifies all of that, and only microvm writes to the store
 * (load_commit.c).
 */
#ifndef MICROVM_IMAGE_IMPORT_IMPORT_H
#define MICROVM_IMAGE_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/config.h"
#include "vmm/image/import/budget.h"
#include "vmm/image/load_protocol.h"
#include "vmm/image/reference.h"

/* An image that the import will declare. */
struct imported_image {
    char name[REFERENCE_TEXT_SIZE]; /* "" for none */
    char manifest_digest[DIGEST_SIZE];
    uint64_t manifest_size;
    char config_digest[DIGEST_SIZE];
};

struct staged_blob {
    char digest[DIGEST_SIZE];
    uint32_t number;
};

struct import {
    int channel; /* borrowed */
    struct budget budget;
    struct staged_blob *blobs;
    size_t blob_count;
};

void import_release(struct import *import);

/* Creates an empty file of this import, for reading and writing. Returns its descriptor, and its
 * number in *number. Errors: of open(2) in microvm. */
int import_new_file(struct import *import, uint32_t *number, struct error *err);

/* Opens a file beneath the source directory. Returns its descriptor. Errors: of openat2(2). */
int import_open_member(const struct import *import, const char *path, struct error *err);

/* Stages a document as a blob; `digest` gets its digest. */
int import_stage_text(struct import *import, const char *text, size_t size,
                      char digest[DIGEST_SIZE], struct error *err);

/* Stages `size` bytes as a part of the root of the image with this config. */
int import_stage_part(struct import *import, enum load_part part, const char *config_digest,
                      const void *data, size_t size, struct error *err);

/* Declares a file to be a part of a root. */
int import_add_part(struct import *import, enum load_part part, const char *config_digest,
                    uint32_t number, struct error *err);

/* The staged blob of this digest, or null. Errors of adding: ENOMEM, of the channel. */
const struct staged_blob *import_find_blob(const struct import *import, const char *digest);
int import_add_blob(struct import *import, const char digest[DIGEST_SIZE], uint32_t number,
                    struct error *err);

/* Opens a staged blob for reading. Errors: ENOENT, of open(2). */
int import_open_blob(const struct import *import, const char *digest, struct error *err);

/*
 * Is an image with this config, its layers and its root already in the store, with undamaged
 * documents? Then fills `image` (except its name) and returns 1; else 0.
 */
int import_find_stored(const struct import *import, const char *config_digest,
                       struct imported_image *image);

/* Declares an image, which microvm then names. Errors: E2BIG (budget), of write(2). */
int import_add_image(struct import *import, const struct imported_image *image, struct error *err);

#endif
