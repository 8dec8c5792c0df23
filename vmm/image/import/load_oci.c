/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: load the images of an OCI layout (image-layout.md), directory or archive. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/image/import/build.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/store.h"

#define INDEX_DEPTH_MAX 4

/* Reads a document of the layout and checks that it is what its descriptor says. */
static int read_blob(struct source *source, const char *digest, uint64_t expected, char **text,
                     size_t *size, struct error *err)
{
    AUTO_FREE char *data = NULL;
    char name[STORE_NAME_SIZE];
    char actual[DIGEST_SIZE];
    int rc;

    store_blob_name(digest, name);
    rc = source_read(source, name, &data, size, err);
    if (rc < 0)
        return rc;
    digest_of(data, *size, actual);
    if (*size != expected || strcmp(actual, digest) != 0)
        return error_set(err, EBADMSG,
                         "%s is damaged: it has %zu bytes and digest %s, its descriptor says %llu "
                         "bytes",
                         name, *size, actual, (unsigned long long)expected);
    *text = steal_pointer(data);
    return 0;
}

static int stage_layers(const struct load_request *request, struct image_manifest *manifest,
                        const struct image_config *config, struct error *err)
{
    struct build build;
    int rc = build_begin(request->import, &build, err);

    for (size_t i = 0; rc == 0 && i < manifest->layer_count; i++) {
        char diff_id[DIGEST_SIZE];
        char name[STORE_NAME_SIZE];

        memcpy(diff_id, config->diff_ids.items[i], DIGEST_SIZE);
        store_blob_name(manifest->layers[i].digest, name);
        rc = import_stage_layer(request->import, request->source, name, &manifest->layers[i], err);
        if (rc == 0)
            rc = build_add_layer(request->import, &build, &manifest->layers[i], diff_id, err);
    }
    if (rc == 0)
        rc = build_finish(request->import, &build, config, manifest->config_digest, err);
    build_end(&build);
    return rc;
}

static int stage_parsed(const struct load_request *request, struct image_manifest *manifest,
                        struct error *err)
{
    AUTO_FREE char *text = NULL;
    struct image_config config = {0};
    char digest[DIGEST_SIZE];
    size_t size;
    int rc = read_blob(request->source, manifest->config_digest, manifest->config_size, &text,
                       &size, err);

    if (rc == 0)
        rc = config_parse(text, size, "image config", &config, err);
    if (rc < 0)
        return rc;
    rc = config_check_platform(&config, "image config", err);
    if (rc == 0 && config.diff_ids.count != manifest->layer_count)
        rc = error_set(err, EBADMSG, "the manifest has %zu layers and the config %zu",
                       manifest->layer_count, config.diff_ids.count);
    if (rc == 0)
        rc = import_stage_text(request->import, text, size, digest, err);
    if (rc == 0)
        rc = stage_layers(request, manifest, &config, err);
    config_release(&config);
    return rc;
}

static int stage_manifest(const struct load_request *request, const struct index_entry *entry,
                          struct imported_image *image, struct error *err)
{
    AUTO_FREE char *text = NULL;
    struct image_manifest manifest = {0};
    size_t size;
    int rc = read_blob(request->source, entry->digest, entry->size, &text, &size, err);

    if (rc == 0)
        rc = manifest_parse(text, size, "manifest", &manifest, err);
    if (rc < 0)
        return rc;
    memcpy(image->config_digest, manifest.config_digest, DIGEST_SIZE);
    if (!import_find_stored(request->import, manifest.config_digest, image)) {
        rc = stage_parsed(request, &manifest, err);
        if (rc == 0)
            rc = import_stage_text(request->import, text, size, image->manifest_digest, err);
        image->manifest_size = size;
    }
    manifest_release(&manifest);
    return rc;
}

static bool fits_host(const struct index_entry *entry)
{
    return !entry->architecture || strcmp(entry->architecture, config_host_architecture()) == 0;
}

static int stage_entry(const struct load_request *request, const struct index_entry *entry,
                       unsigned depth, struct imported_image *image, struct error *err);

/* Takes the first entry for this machine. */
static int stage_from_index(const struct load_request *request, const struct index_entry *nested,
                            unsigned depth, struct imported_image *image, struct error *err)
{
    AUTO_FREE char *text = NULL;
    struct image_index index = {0};
    size_t chosen = 0;
    size_t size;
    int rc = depth < INDEX_DEPTH_MAX
                 ? read_blob(request->source, nested->digest, nested->size, &text, &size, err)
                 : error_set(err, ELOOP, "its indexes are nested too deeply");

    if (rc == 0)
        rc = index_parse(text, size, "image index", &index, err);
    if (rc < 0)
        return rc;
    while (chosen < index.count && !fits_host(&index.entries[chosen]))
        chosen++;
    if (chosen < index.count)
        rc = stage_entry(request, &index.entries[chosen], depth + 1, image, err);
    else
        rc = error_set(err, ENOEXEC, "holds no image for this machine (linux/%s)",
                       config_host_architecture());
    index_release(&index);
    return rc;
}

static int stage_entry(const struct load_request *request, const struct index_entry *entry,
                       unsigned depth, struct imported_image *image, struct error *err)
{
    return entry->is_index ? stage_from_index(request, entry, depth, image, err)
                           : stage_manifest(request, entry, image, err);
}

static int load_entry(const struct load_request *request, const struct index_entry *entry,
                      struct error *err)
{
    struct imported_image image = {0};
    int rc = load_choose_name(request, entry->name, image.name, err);

    if (rc == 0)
        rc = stage_entry(request, entry, 0, &image, err);
    if (rc == 0)
        rc = import_add_image(request->import, &image, err);
    return rc;
}

static bool is_tagged_latest(const struct index_entry *entry)
{
    const char *colon = entry->name ? strrchr(entry->name, ':') : NULL;

    return entry->name && strcmp(colon ? colon + 1 : entry->name, "latest") == 0;
}

/* Keeps, in place, the entries to load: those for this machine and, where only one is wanted, that.
 */
static int choose_entries(const struct load_request *request, struct image_index *index,
                          struct error *err)
{
    struct index_entry *latest = NULL;
    struct index_entry kept;
    size_t count = 0;

    for (size_t i = 0; i < index->count; i++) {
        if (!fits_host(&index->entries[i]))
            continue;
        kept = index->entries[count];
        index->entries[count] = index->entries[i];
        index->entries[i] = kept;
        count++;
    }
    if (count == 0)
        return error_set(err, ENOEXEC, "holds no image for this machine (linux/%s)",
                         config_host_architecture());
    if (count == 1 || (!request->name && !request->unnamed))
        return (int)count;
    for (size_t i = 0; i < count; i++) {
        if (is_tagged_latest(&index->entries[i]))
            latest = &index->entries[i];
    }
    if (!latest) {
        char safe[LAYER_SAFE_SIZE];
        const char *example = index->entries[0].name ? index->entries[0].name : "(unnamed)";

        return error_set(
            err, ENOTUNIQ,
            "holds %zu images ('%s' and others), none tagged latest; load them all with "
            "'microvm image load' without a name",
            count, layer_safe_text(example, safe));
    }
    kept = index->entries[0];
    index->entries[0] = *latest;
    *latest = kept;
    return 1;
}

int load_oci(const struct load_request *request, struct error *err)
{
    AUTO_FREE char *text = NULL;
    struct image_index index = {0};
    size_t size;
    int count;
    int rc = source_read(request->source, "index.json", &text, &size, err);

    if (rc == 0)
        rc = index_parse(text, size, "index.json", &index, err);
    if (rc < 0)
        return rc;
    count = choose_entries(request, &index, err);
    rc = count < 0 ? count : 0;
    for (int i = 0; rc == 0 && i < count && index.entries; i++)
        rc = load_entry(request, &index.entries[i], err);
    index_release(&index);
    return rc;
}
