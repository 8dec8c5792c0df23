/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load the images of a `docker save` archive: manifest.json lists configs, names and layer
 * archives. It has no manifest, so one is created; the config, and so the image ID, does not
 * change.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/image/document.h"
#include "vmm/image/import/build.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/import/stage_layer.h"

/* One item of manifest.json. */
struct saved_image {
    char *config;
    struct string_list names;
    struct string_list layers;
};

static void saved_release(struct saved_image *saved)
{
    free(saved->config);
    string_list_release(&saved->names);
    string_list_release(&saved->layers);
}

#define AUTO_SAVED __attribute__((cleanup(saved_release)))

static int parse_saved(const json_t *item, struct saved_image *saved, struct error *err)
{
    int rc = json_is_object(item)
                 ? document_string(item, "Config", "manifest.json", &saved->config, err)
                 : error_set(err, EBADMSG, "manifest.json: not a list of images");

    if (rc < 0)
        return rc;
    rc = document_strings(item, "RepoTags", "manifest.json", &saved->names, err);
    if (rc < 0)
        return rc;
    rc = document_strings(item, "Layers", "manifest.json", &saved->layers, err);
    if (rc < 0)
        return rc;
    if (!saved->config)
        return error_set(err, EBADMSG, "manifest.json: an image without 'Config'");
    if (saved->layers.count > CONFIG_LAYERS_MAX)
        return error_set(err, EBADMSG, "manifest.json: more than %d layers", CONFIG_LAYERS_MAX);
    return 0;
}

/* The config's file is named by its digest: "HEX.json", "sha256:HEX" or "blobs/sha256/HEX". */
static int check_config_name(const char *name, const char *digest, struct error *err)
{
    const char *slash = strrchr(name, '/');
    const char *hex = slash ? slash + 1 : name;
    char safe[TEXT_NAME_SIZE];

    if (strncmp(hex, DIGEST_PREFIX, DIGEST_PREFIX_LENGTH) == 0)
        hex += DIGEST_PREFIX_LENGTH;
    if (strspn(hex, "0123456789abcdef") == DIGEST_HEX_LENGTH &&
        strncmp(hex, digest + DIGEST_PREFIX_LENGTH, DIGEST_HEX_LENGTH) != 0)
        return error_set(err, EBADMSG, "'%s' is damaged: its digest is %s",
                         text_copy(safe, sizeof(safe), name), digest);
    return 0;
}

static int stage_root(const struct load_request *request, const struct saved_image *saved,
                      const struct image_config *config, const char *config_digest,
                      struct image_layer *layers, struct error *err)
{
    AUTO_BUILD struct build build;
    int rc = build_begin(request->import, &build, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < saved->layers.count; i++) {
        rc = import_stage_layer(request->import, request->source, saved->layers.items[i],
                                &layers[i], err);
        if (rc < 0)
            return rc;
        rc = build_add_layer(request->import, &build, &layers[i], config->diff_ids.items[i], NULL,
                             err);
        if (rc < 0)
            return rc;
    }
    return build_finish(request->import, &build, config, config_digest, err);
}

static int stage_layers(const struct load_request *request, const struct saved_image *saved,
                        const struct image_config *config, const char *config_digest,
                        uint64_t config_size, struct imported_image *image, struct error *err)
{
    AUTO_FREE struct image_layer *layers = calloc(saved->layers.count + 1, sizeof(*layers));
    int rc;

    if (!layers)
        return error_set_errno(err, ENOMEM, "import");
    rc = stage_root(request, saved, config, config_digest, layers, err);
    if (rc < 0)
        return rc;
    return load_stage_manifest(request->import, config_digest, config_size, layers,
                               saved->layers.count, image, err);
}

static int stage_saved(const struct load_request *request, const struct saved_image *saved,
                       struct imported_image *image, struct error *err)
{
    AUTO_FREE char *text = NULL;
    AUTO_CONFIG struct image_config config = {0};
    char digest[DIGEST_SIZE];
    size_t size;
    int rc = source_read(request->source, saved->config, &text, &size, err);

    if (rc < 0)
        return rc;
    digest_of(text, size, digest);
    rc = check_config_name(saved->config, digest, err);
    if (rc < 0 || import_find_stored(request->import, digest, image))
        return rc;
    rc = config_parse(text, size, "image config", &config, err);
    if (rc < 0)
        return rc;
    rc = config_check_platform(&config, "image config", err);
    if (rc < 0)
        return rc;
    if (config.diff_ids.count != saved->layers.count)
        return error_set(err, EBADMSG, "manifest.json has %zu layers and the config %zu",
                         saved->layers.count, config.diff_ids.count);
    rc = import_stage_text(request->import, text, size, digest, err);
    if (rc < 0)
        return rc;
    return stage_layers(request, saved, &config, digest, size, image, err);
}

/* Adds the image once for each of its names. */
static int add_names(const struct load_request *request, const struct saved_image *saved,
                     struct imported_image *image, struct error *err)
{
    bool as_saved = !request->name && !request->unnamed && saved->names.count > 0;
    size_t count = as_saved ? saved->names.count : 1;

    for (size_t i = 0; i < count; i++) {
        int rc =
            load_choose_name(request, as_saved ? saved->names.items[i] : NULL, image->name, err);

        if (rc < 0)
            return rc;
        rc = import_add_image(request->import, image, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int load_item(const struct load_request *request, const json_t *item, struct error *err)
{
    AUTO_SAVED struct saved_image saved = {0};
    struct imported_image image = {0};
    int rc = parse_saved(item, &saved, err);

    if (rc < 0)
        return rc;
    rc = stage_saved(request, &saved, &image, err);
    if (rc < 0)
        return rc;
    return add_names(request, &saved, &image, err);
}

int load_docker(const struct load_request *request, struct error *err)
{
    AUTO_JSON json_t *list = NULL;
    AUTO_FREE char *text = NULL;
    size_t size;
    int rc = source_read(request->source, "manifest.json", &text, &size, err);

    if (rc < 0)
        return rc;
    rc = document_parse(text, size, true, "manifest.json", &list, err);
    if (rc < 0)
        return rc;
    if (json_array_size(list) == 0)
        return error_set(err, EBADMSG, "manifest.json: lists no image");
    if (json_array_size(list) > 1 && (request->name || request->unnamed))
        return error_set(err, ENOTUNIQ,
                         "holds %zu images; load them all with 'microvm image load' without a name",
                         json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        rc = load_item(request, json_array_get(list, i), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
