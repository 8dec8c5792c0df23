/* SPDX-License-Identifier: Apache-2.0 */
/* One stored image, opened: everything that is needed to run it. */
#ifndef MICROVM_IMAGE_IMAGE_H
#define MICROVM_IMAGE_IMAGE_H

#include "vmm/base/error.h"
#include "vmm/image/config.h"
#include "vmm/image/store.h"

struct image {
    char name[REFERENCE_TEXT_SIZE];    /* "name:tag", empty if opened by digest or ID */
    char manifest_digest[DIGEST_SIZE]; /* "sha256:…" */
    char config_digest[DIGEST_SIZE];   /* "sha256:…", the image ID */
    struct image_config config;
    char *root_path; /* the squashfs, absolute if the store's path is */
    int root_fd;     /* the same file, open for reading: valid even after the image was removed
                      */
    char *passwd;    /* the image's /etc/passwd and /etc/group, "" when it has none */
    char *group;
};

/*
 * Opens the image that `reference` (name, digest, ID; not a path) means, checks digests of manifest
 * and config and its architecture. Release by image_close(). Errors: of store_resolve() and
 * store_read_blob(), ENOEXEC (other architecture), EINVAL (a path).
 */
int image_open(struct store *store, const char *reference, struct image **image, struct error *err);
void image_close(struct image *image);

#define AUTO_IMAGE __attribute__((cleanup(image_close_at)))
static inline void image_close_at(struct image **image)
{
    if (*image)
        image_close(*image);
}

#endif
