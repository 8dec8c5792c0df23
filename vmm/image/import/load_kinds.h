/* SPDX-License-Identifier: Apache-2.0 */
/* The three kinds of input, each turned into staged images. */
#ifndef MICROVM_IMAGE_IMPORT_LOAD_KINDS_H
#define MICROVM_IMAGE_IMPORT_LOAD_KINDS_H

#include "vmm/image/import/import.h"
#include "vmm/image/import/source.h"

struct load_request {
    struct import *import;
    struct source *source;
    const char *name; /* "name:tag"; null: the name in the input */
    const char
        *base;    /* name made from the path, for inputs with only a tag or no name; may be null */
    bool unnamed; /* set no name, and load exactly one image */
};

/* Each stages all images and adds them to the import. Errors: EBADMSG, ENOTSUP, ENOEXEC, ENOENT,
 * ENOTUNIQ (a name or `unnamed`, and several images), and those of the parts. */
int load_oci(const struct load_request *request, struct error *err);
int load_docker(const struct load_request *request, struct error *err);
int load_root(const struct load_request *request, struct error *err);

/*
 * The name for an image that has the name `given` in the input (null: none): a reference, or a tag,
 * to which the base name is added. Errors: EINVAL.
 */
int load_choose_name(const struct load_request *request, const char *given,
                     char name[REFERENCE_TEXT_SIZE], struct error *err);

/* Stages an OCI manifest of these parts. Fills the digests and sizes of `image`. */
int load_stage_manifest(struct import *import, const char *config_digest, uint64_t config_size,
                        const struct image_layer *layers, size_t count,
                        struct imported_image *image, struct error *err);

#endif
