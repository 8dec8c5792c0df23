/* SPDX-License-Identifier: Apache-2.0 */
/* Parse manifests and indexes (OCI image specification, manifest.md and image-index.md). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/image/config.h"
#include "vmm/image/document.h"

#define INDEX_ENTRIES_MAX 1024

static const struct {
    const char *type;
    enum layer_compression compression;
} layer_types[] = {
    {"application/vnd.oci.image.layer.v1.tar", LAYER_PLAIN},
    {"application/vnd.oci.image.layer.v1.tar+gzip", LAYER_GZIP},
    {"application/vnd.oci.image.layer.v1.tar+zstd", LAYER_ZSTD},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", LAYER_PLAIN},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", LAYER_GZIP},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", LAYER_ZSTD},
    {"application/vnd.docker.image.rootfs.diff.tar", LAYER_PLAIN},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", LAYER_ZSTD},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", LAYER_PLAIN},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", LAYER_GZIP},
};

static const char *const config_types[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
};

static bool is_config_type(const char *type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(config_types); i++) {
        if (strcmp(type, config_types[i]) == 0)
            return true;
    }
    return false;
}

/* Signatures, SBOMs, charts and the like are also manifests; their type or their config's type
 * shows it (manifest.md, "Guidelines for Artifact Usage"). */
static int check_artifact(const json_t *root, const json_t *config, const char *what,
                          struct error *err)
{
    const char *type = json_string_value(json_object_get(root, "artifactType"));

    if (!type || !type[0] || is_config_type(type))
        type = json_string_value(json_object_get(config, "mediaType"));
    if (type && type[0] && !is_config_type(type))
        return error_set(err, ENOTSUP, "%s: not an image but an artifact of type '%.100s'", what,
                         type);
    return 0;
}

static int parse_layer(const json_t *item, const char *what, struct image_layer *layer,
                       struct error *err)
{
    const char *type = json_string_value(json_object_get(item, "mediaType"));
    int rc = document_foreign_descriptor(item, what, layer->digest, &layer->size, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LENGTH(layer_types); i++) {
        if (type && strcmp(type, layer_types[i].type) == 0) {
            layer->compression = layer_types[i].compression;
            return 0;
        }
    }
    return error_set(err, ENOTSUP, "%s: layer %.19s has unknown type '%.100s'", what, layer->digest,
                     type ? type : "");
}

static int parse_manifest(const json_t *root, const char *what, struct image_manifest *manifest,
                          struct error *err)
{
    json_t *config = NULL;
    json_t *layers = NULL;
    int rc = document_object(root, "config", what, &config, err);

    if (rc < 0)
        return rc;
    rc = document_array(root, "layers", what, &layers, err);
    if (rc < 0)
        return rc;
    if (!config || !layers)
        return error_set(err, ENOTSUP, "%s: not an image manifest: no 'config' or no 'layers'",
                         what);
    rc = check_artifact(root, config, what, err);
    if (rc < 0)
        return rc;
    rc = document_foreign_descriptor(config, what, manifest->config_digest, &manifest->config_size,
                                     err);
    if (rc < 0)
        return rc;
    if (json_array_size(layers) > CONFIG_LAYERS_MAX)
        return error_set(err, EBADMSG, "%s: more than %d layers", what, CONFIG_LAYERS_MAX);
    manifest->layers = calloc(json_array_size(layers) + 1, sizeof(*manifest->layers));
    if (!manifest->layers)
        return error_set_errno(err, ENOMEM, "%s", what);
    for (; manifest->layer_count < json_array_size(layers); manifest->layer_count++) {
        rc = parse_layer(json_array_get(layers, manifest->layer_count), what,
                         &manifest->layers[manifest->layer_count], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int manifest_parse_foreign(const char *text, size_t size, const char *what,
                           struct image_manifest *manifest, struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int rc = document_parse(text, size, false, what, &root, err);

    *manifest = (struct image_manifest){0};
    if (rc < 0)
        return rc;
    rc = parse_manifest(root, what, manifest, err);
    if (rc < 0)
        manifest_release(manifest);
    return rc;
}

int manifest_parse(const char *text, size_t size, const char *what, struct image_manifest *manifest,
                   struct error *err)
{
    int rc = manifest_parse_foreign(text, size, what, manifest, err);
    bool is_ours;

    if (rc < 0)
        return rc;
    is_ours = digest_is_valid(manifest->config_digest);
    for (size_t i = 0; is_ours && i < manifest->layer_count; i++)
        is_ours = digest_is_valid(manifest->layers[i].digest);
    if (is_ours)
        return 0;
    manifest_release(manifest);
    return error_set(err, EBADMSG, "%s: has digests that are not sha256", what);
}

void manifest_release(struct image_manifest *manifest)
{
    free(manifest->layers);
    *manifest = (struct image_manifest){0};
}

static bool is_index_type(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.index.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.distribution.manifest.list.v2+json") == 0;
}

static bool is_manifest_type(const char *type)
{
    return strcmp(type, "application/vnd.oci.image.manifest.v1+json") == 0 ||
           strcmp(type, "application/vnd.docker.distribution.manifest.v2+json") == 0;
}

/*
 * image-index.md: an unknown media type "MUST NOT generate an error". The same applies to what
 * builders and signers add to an image: BuildKit's attestations have an annotation, other artifacts
 * a type. A descriptor without a media type is treated as a manifest, which is checked later.
 */
static bool is_ignored(const json_t *item)
{
    const char *type = json_string_value(json_object_get(item, "mediaType"));
    const char *artifact = json_string_value(json_object_get(item, "artifactType"));
    const json_t *annotations = json_object_get(item, "annotations");

    if (type && type[0] && !is_index_type(type) && !is_manifest_type(type))
        return true;
    if (artifact && artifact[0] && !is_config_type(artifact))
        return true;
    return json_object_get(annotations, "vnd.docker.reference.type") != NULL;
}

static int parse_platform(const json_t *object, const char *what, struct platform *platform,
                          struct error *err)
{
    int rc = document_string(object, "os", what, &platform->os, err);

    if (rc < 0)
        return rc;
    rc = document_string(object, "architecture", what, &platform->architecture, err);
    if (rc < 0)
        return rc;
    return document_string(object, "variant", what, &platform->variant, err);
}

static int parse_name(const json_t *annotations, const char *what, char **name, struct error *err)
{
    int rc = document_string(annotations, "io.containerd.image.name", what, name, err);

    if (rc < 0 || *name)
        return rc;
    return document_string(annotations, "org.opencontainers.image.ref.name", what, name, err);
}

/* On failure the entry is partly filled; index_release() frees it, too. */
static int parse_entry(const json_t *item, const char *what, struct index_entry *entry,
                       struct error *err)
{
    const char *type = json_string_value(json_object_get(item, "mediaType"));
    json_t *platform;
    json_t *annotations;
    int rc = document_foreign_descriptor(item, what, entry->digest, &entry->size, err);

    if (rc < 0)
        return rc;
    entry->is_index = type && is_index_type(type);
    rc = document_object(item, "annotations", what, &annotations, err);
    if (rc < 0)
        return rc;
    rc = document_object(item, "platform", what, &platform, err);
    if (rc < 0)
        return rc;
    rc = parse_name(annotations, what, &entry->name, err);
    if (rc < 0)
        return rc;
    return parse_platform(platform, what, &entry->platform, err);
}

static int parse_entries(const json_t *items, const char *what, struct image_index *index,
                         struct error *err)
{
    if (json_array_size(items) > INDEX_ENTRIES_MAX)
        return error_set(err, EBADMSG, "%s: more than %d entries", what, INDEX_ENTRIES_MAX);
    index->entries = calloc(json_array_size(items) + 1, sizeof(*index->entries));
    if (!index->entries)
        return error_set_errno(err, ENOMEM, "%s", what);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        int rc =
            is_ignored(item) ? 0 : parse_entry(item, what, &index->entries[index->count++], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

int index_parse(const char *text, size_t size, const char *what, struct image_index *index,
                struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    json_t *items = NULL;
    int rc = document_parse(text, size, false, what, &root, err);

    *index = (struct image_index){0};
    if (rc < 0)
        return rc;
    rc = document_array(root, "manifests", what, &items, err);
    if (rc < 0)
        return rc;
    rc = parse_entries(items, what, index, err);
    if (rc < 0)
        index_release(index);
    return rc;
}

void index_release(struct image_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        free(index->entries[i].name);
        platform_release(&index->entries[i].platform);
    }
    free(index->entries);
    *index = (struct image_index){0};
}
