/* SPDX-License-Identifier: Apache-2.0 */
/* Names and manifests, for all kinds of input. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/image/document.h"
#include "vmm/image/import/load_kinds.h"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"

int load_choose_name(const struct load_request *request, const char *given,
                     char name[REFERENCE_TEXT_SIZE], struct error *err)
{
    struct reference reference;
    AUTO_FREE char *text = NULL;
    bool whole = given && (strchr(given, ':') || strchr(given, '/'));
    int size;
    int rc;

    name[0] = '\0';
    if (request->unnamed || (!request->name && !whole && !request->base))
        return 0;
    if (request->name)
        size = asprintf(&text, "%s", request->name);
    else if (whole)
        size = asprintf(&text, "%s", given);
    else
        size = asprintf(&text, "%s:%s", request->base, given ? given : "latest");
    if (size < 0) {
        text = NULL;
        return error_set_errno(err, ENOMEM, "import");
    }
    rc = reference_parse_tagged(text, &reference, err);
    if (rc < 0)
        return error_wrap(err, rc, "set one by --name");
    reference_format(&reference, name, REFERENCE_TEXT_SIZE);
    return 0;
}

static const char *layer_type(enum layer_compression compression)
{
    switch (compression) {
    case LAYER_GZIP:
        return "application/vnd.oci.image.layer.v1.tar+gzip";
    case LAYER_ZSTD:
        return "application/vnd.oci.image.layer.v1.tar+zstd";
    default:
        return "application/vnd.oci.image.layer.v1.tar";
    }
}

static json_t *make_descriptor(const char *type, const char *digest, uint64_t size)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
                     (json_int_t)size);
}

int load_stage_manifest(struct import *import, const char *config_digest, uint64_t config_size,
                        const struct image_layer *layers, size_t count,
                        struct imported_image *image, struct error *err)
{
    AUTO_JSON json_t *manifest = NULL;
    AUTO_FREE char *text = NULL;
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_append(&list, make_descriptor(layer_type(layers[i].compression), layers[i].digest,
                                           layers[i].size));
    manifest =
        json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", MANIFEST_TYPE, "config",
                  make_descriptor(CONFIG_TYPE, config_digest, config_size), "layers", list);
    text = json_to_text(manifest, JSON_COMPACT);
    if (!text)
        return error_set_errno(err, ENOMEM, "import");
    memcpy(image->config_digest, config_digest, DIGEST_SIZE);
    image->manifest_size = strlen(text);
    return import_stage_text(import, text, strlen(text), image->manifest_digest, err);
}
