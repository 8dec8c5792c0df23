/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of an image as plain structs (OCI image specification: manifest.md,
 * image-index.md, config.md; docker's schema 2 differs only in its media types).
 *
 * All of it is untrusted: documents are bounded in size and depth, and digests and media types are
 * checked here, so that later code need not.
 */
#ifndef MICROVM_IMAGE_CONFIG_H
#define MICROVM_IMAGE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/platform.h"
#include "vmm/image/reference.h"

#define CONFIG_LAYERS_MAX 512

enum layer_compression { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD };

struct image_layer {
    char digest[DIGEST_ANY_SIZE]; /* of the blob */
    uint64_t size;                /* of the blob, bytes */
    enum layer_compression compression;
};

struct image_manifest {
    char config_digest[DIGEST_ANY_SIZE];
    uint64_t config_size;
    struct image_layer *layers; /* lowest first */
    size_t layer_count;
};

/* The part of an image's config that is needed to run it; strings are null when absent or empty. */
struct image_config {
    struct platform platform;
    char *user;
    char *working_dir;
    char *stop_signal;
    struct string_list entrypoint;
    struct string_list cmd;
    struct string_list env;
    struct string_list volumes; /* paths, sorted */
    struct string_list
        diff_ids; /* digests of either kind, of the uncompressed layers, lowest first */
};

/* One candidate of an index. */
struct index_entry {
    char digest[DIGEST_ANY_SIZE];
    uint64_t size;
    char *name; /* annotation io.containerd.image.name, else org.opencontainers.image.ref.name */
    struct platform platform;
    bool is_index;
};

/* Without entries of unknown media type, attestations and other artifacts: image-index.md says to
 * ignore them. */
struct image_index {
    struct index_entry *entries;
    size_t count;
};

/* `what` names the document in messages. On failure nothing needs release. Errors: EBADMSG, ENOTSUP
 * (unknown layer or document type, an artifact that is not an image), ENOMEM. */
int config_parse(const char *text, size_t size, const char *what, struct image_config *config,
                 struct error *err);
void config_release(struct image_config *config);
#define AUTO_CONFIG __attribute__((cleanup(config_release)))

/* The first takes a manifest of the store, whose digests are all SHA-256; the second one of an
 * input, whose digests may be of either kind. */
int manifest_parse(const char *text, size_t size, const char *what, struct image_manifest *manifest,
                   struct error *err);
int manifest_parse_foreign(const char *text, size_t size, const char *what,
                           struct image_manifest *manifest, struct error *err);
void manifest_release(struct image_manifest *manifest);
#define AUTO_MANIFEST __attribute__((cleanup(manifest_release)))

int index_parse(const char *text, size_t size, const char *what, struct image_index *index,
                struct error *err);
void index_release(struct image_index *index);
#define AUTO_INDEX __attribute__((cleanup(index_release)))

/* Fails (ENOEXEC) unless the image is for Linux on this host's architecture. A missing field
 * matches the host, same as in docker. */
int config_check_platform(const struct image_config *config, const char *what, struct error *err);

#endif
