/* SPDX-License-Identifier: Apache-2.0 */
/* Load the images of an OCI layout (image-layout.md), directory or archive. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/image/import/build.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/import/stage_layer.h"

#define INDEX_DEPTH_MAX 4
#define MANIFESTS_MAX   512 /* read in one layout: bounds the cost of nested indexes */

/* A manifest and its config, of an image that this host can run. */
struct candidate {
    char *manifest_text;
    size_t manifest_size;
    char *config_text;
    size_t config_size;
    struct image_manifest manifest;
    struct image_config config;
};

static void candidate_release(struct candidate *candidate)
{
    free(candidate->manifest_text);
    free(candidate->config_text);
    manifest_release(&candidate->manifest);
    config_release(&candidate->config);
}

#define AUTO_CANDIDATE __attribute__((cleanup(candidate_release)))

struct search {
    const struct load_request *request;
    unsigned looked_at;
};

/* image-layout.md, "Blobs": blobs/ALGORITHM/DIGITS. */
#define BLOB_NAME_SIZE (DIGEST_ANY_SIZE + 8)
static void format_blob_name(const char *digest, char name[BLOB_NAME_SIZE])
{
    int length = (int)strcspn(digest, ":");

    snprintf(name, BLOB_NAME_SIZE, "blobs/%.*s/%s", length, digest, digest + length + 1);
}

/* Reads a document of the layout and checks it against its descriptor. */
static int read_blob(struct source *source, const char *digest, uint64_t expected, char **text,
                     size_t *size, struct error *err)
{
    AUTO_FREE char *data = NULL;
    char name[BLOB_NAME_SIZE];
    int rc;

    format_blob_name(digest, name);
    rc = source_read(source, name, &data, size, err);
    if (rc < 0)
        return rc;
    if (*size != expected || !digest_fits(digest, data, *size))
        return error_set(err, EBADMSG,
                         "%s is damaged: it has %zu bytes and another digest than its name, or not "
                         "the %llu bytes of its descriptor",
                         name, *size, (unsigned long long)expected);
    *text = steal_pointer(data);
    return 0;
}

static int stage_layers(const struct load_request *request, struct image_manifest *manifest,
                        const struct image_config *config, const char *config_digest,
                        struct error *err)
{
    AUTO_BUILD struct build build;
    int rc = build_begin(request->import, &build, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < manifest->layer_count; i++) {
        struct image_layer *layer = &manifest->layers[i];
        char name[BLOB_NAME_SIZE];

        format_blob_name(layer->digest, name);
        rc = import_stage_layer(request->import, request->source, name, layer, err);
        if (rc < 0)
            return rc;
        rc = build_add_layer(request->import, &build, layer, config->diff_ids.items[i], NULL, err);
        if (rc < 0)
            return rc;
    }
    return build_finish(request->import, &build, config, config_digest, err);
}

/* Reads a manifest and its config by the manifest's descriptor. Errors: ENOTSUP, ENOEXEC (not for
 * this host). */
static int read_candidate(struct search *search, const struct index_entry *entry,
                          struct candidate *candidate, struct error *err)
{
    struct source *source = search->request->source;
    int rc;

    if (search->looked_at++ == MANIFESTS_MAX)
        return error_set(err, E2BIG, "has more than %d manifests and indexes", MANIFESTS_MAX);
    rc = read_blob(source, entry->digest, entry->size, &candidate->manifest_text,
                   &candidate->manifest_size, err);
    if (rc < 0)
        return rc;
    rc = manifest_parse_foreign(candidate->manifest_text, candidate->manifest_size, "manifest",
                                &candidate->manifest, err);
    if (rc < 0)
        return rc;
    rc = read_blob(source, candidate->manifest.config_digest, candidate->manifest.config_size,
                   &candidate->config_text, &candidate->config_size, err);
    if (rc < 0)
        return rc;
    rc = config_parse(candidate->config_text, candidate->config_size, "image config",
                      &candidate->config, err);
    if (rc < 0)
        return rc;
    return config_check_platform(&candidate->config, "image config", err);
}

/* Does this failure mean that the entry is not for this host, so that another one may be? */
static bool is_for_others(int rc)
{
    return rc == -ENOTSUP || rc == -ENOEXEC || rc == -ENOENT;
}

static int rank(const struct index_entry *entry)
{
    return platform_rank(&entry->platform, platform_host_architecture(), platform_host_level());
}

static int find_in(struct search *search, const struct image_index *index, const char *name,
                   bool any_name, unsigned depth, struct index_entry *found, struct error *err);

/* Fills `found` with digest and size of the manifest that `entry` means on this host. */
static int find_image(struct search *search, const struct index_entry *entry, unsigned depth,
                      struct index_entry *found, struct error *err)
{
    AUTO_CANDIDATE struct candidate candidate = {0};
    AUTO_FREE char *text = NULL;
    AUTO_INDEX struct image_index index = {0};
    size_t size;
    int rc;

    if (!entry->is_index) {
        *found = (struct index_entry){.size = entry->size};
        memcpy(found->digest, entry->digest, sizeof(found->digest));
        return read_candidate(search, entry, &candidate, err);
    }
    if (depth == INDEX_DEPTH_MAX)
        return error_set(err, ELOOP, "its indexes are nested too deeply");
    if (search->looked_at++ == MANIFESTS_MAX)
        return error_set(err, E2BIG, "has more than %d manifests and indexes", MANIFESTS_MAX);
    rc = read_blob(search->request->source, entry->digest, entry->size, &text, &size, err);
    if (rc < 0)
        return rc;
    rc = index_parse(text, size, "image index", &index, err);
    if (rc < 0)
        return rc;
    return find_in(search, &index, NULL, true, depth + 1, found, err);
}

/* The error for an index without a fitting platform; lists those that it has. */
static int refuse_platforms(const struct image_index *index, struct error *err)
{
    char host[PLATFORM_TEXT_SIZE];
    char there[256] = "";

    snprintf(host, sizeof(host), "linux/%s", platform_host_architecture());
    for (size_t i = 0; i < index->count && strlen(there) + PLATFORM_TEXT_SIZE < sizeof(there);
         i++) {
        char text[PLATFORM_TEXT_SIZE];

        snprintf(there + strlen(there), sizeof(there) - strlen(there), "%s%s", i ? ", " : "",
                 platform_format(&index->entries[i].platform, text));
    }
    if (platform_host_level() > 0)
        return error_set(err, ENOEXEC, "holds no image for this host (%s, level v%u); it has: %s",
                         host, platform_host_level(), there[0] ? there : "none");
    return error_set(err, ENOEXEC, "holds no image for this host (%s); it has: %s", host,
                     there[0] ? there : "none");
}

static bool has_name(const struct index_entry *entry, const char *name)
{
    return name ? entry->name && strcmp(entry->name, name) == 0 : !entry->name;
}

/*
 * Finds among the entries of one name (with `any_name`, among all) the one to run here: the best of
 * the variants, and of equals the first (image-index.md, "platform"). An entry that is not an
 * image, or is missing in the archive, is skipped if there is another one.
 */
static int find_in(struct search *search, const struct image_index *index, const char *name,
                   bool any_name, unsigned depth, struct index_entry *found, struct error *err)
{
    struct error first = ERROR_INIT;

    for (int wanted = PLATFORM_RANK_MAX; wanted >= 0; wanted--) {
        for (size_t i = 0; i < index->count; i++) {
            const struct index_entry *entry = &index->entries[i];
            struct error problem = ERROR_INIT;
            int rc;

            if ((!any_name && !has_name(entry, name)) || rank(entry) != wanted)
                continue;
            rc = find_image(search, entry, depth, found, &problem);
            if (rc == 0)
                return 0;
            if (!is_for_others(rc))
                return error_set(err, -rc, "%s", problem.text);
            if (!first.code)
                first = problem;
        }
    }
    if (first.code)
        return error_set(err, first.code, "%s", first.text);
    return refuse_platforms(index, err);
}

/* Does it contain digests that the store does not use? */
static bool is_foreign(const struct image_manifest *manifest)
{
    for (size_t i = 0; i < manifest->layer_count; i++) {
        if (!digest_is_valid(manifest->layers[i].digest))
            return true;
    }
    return !digest_is_valid(manifest->config_digest);
}

static int stage(const struct load_request *request, struct search *search,
                 const struct index_entry *entry, struct imported_image *image, struct error *err)
{
    AUTO_CANDIDATE struct candidate candidate = {0};
    struct image_manifest *manifest = &candidate.manifest;
    bool foreign;
    int rc = read_candidate(search, entry, &candidate, err);

    if (rc < 0)
        return rc;
    digest_of(candidate.config_text, candidate.config_size, image->config_digest);
    if (import_find_stored(request->import, image->config_digest, image))
        return 0;
    if (candidate.config.diff_ids.count != manifest->layer_count)
        return error_set(err, EBADMSG, "the manifest has %zu layers and the config %zu",
                         manifest->layer_count, candidate.config.diff_ids.count);
    foreign = is_foreign(manifest);
    rc = import_stage_text(request->import, candidate.config_text, candidate.config_size,
                           image->config_digest, err);
    if (rc < 0)
        return rc;
    rc = stage_layers(request, manifest, &candidate.config, image->config_digest, err);
    if (rc < 0)
        return rc;
    if (foreign)
        return load_stage_manifest(request->import, image->config_digest, candidate.config_size,
                                   manifest->layers, manifest->layer_count, image, err);
    image->manifest_size = candidate.manifest_size;
    return import_stage_text(request->import, candidate.manifest_text, candidate.manifest_size,
                             image->manifest_digest, err);
}

/* An image of the layout: the entries of one name. */
struct choice {
    const char *name; /* null: the entries without one */
    struct index_entry entry;
};

static bool is_first_of_name(const struct image_index *index, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (has_name(&index->entries[i], index->entries[at].name))
            return false;
    }
    return true;
}

/* Finds the images to load. Images for other platforms are skipped if there is any other. */
static int find_choices(struct search *search, const struct image_index *index,
                        struct choice *choices, size_t *count, struct error *err)
{
    struct error first = ERROR_INIT;

    for (size_t i = 0; i < index->count; i++) {
        struct choice *choice = &choices[*count];
        struct error problem = ERROR_INIT;
        int rc;

        if (!is_first_of_name(index, i))
            continue;
        choice->name = index->entries[i].name;
        rc = find_in(search, index, choice->name, false, 0, &choice->entry, &problem);
        /* A named image whose blobs are missing is damaged; one without a name may be only a
         * record. */
        if (rc < 0 && (!is_for_others(rc) || (rc == -ENOENT && choice->name)))
            return error_set(err, -rc, "%s", problem.text);
        if (rc < 0 && !first.code)
            first = problem;
        *count += rc == 0;
    }
    if (*count > 0)
        return 0;
    return first.code ? error_set(err, first.code, "%s", first.text)
                      : error_set(err, EBADMSG, "index.json: lists no image");
}

static bool is_tagged_latest(const struct choice *choice)
{
    const char *colon = choice->name ? strrchr(choice->name, ':') : NULL;

    return choice->name && strcmp(colon ? colon + 1 : choice->name, "latest") == 0;
}

/* If only one image is wanted: moves it to the front. */
static int keep_one(struct choice *choices, size_t *count, struct error *err)
{
    const struct choice *latest = NULL;
    char safe[TEXT_NAME_SIZE];

    for (size_t i = 0; i < *count; i++) {
        if (is_tagged_latest(&choices[i]))
            latest = &choices[i];
    }
    if (!latest && *count > 1)
        return error_set(
            err, ENOTUNIQ,
            "holds %zu images ('%s' and others), none tagged latest; load them all with "
            "'microvm image load' without a name, then give one a name with 'microvm image tag'",
            *count, text_copy(safe, sizeof(safe), choices[0].name ? choices[0].name : "(unnamed)"));
    if (latest)
        choices[0] = *latest;
    *count = 1;
    return 0;
}

static int load_choice(struct search *search, const struct choice *choice, struct error *err)
{
    struct imported_image image = {0};
    int rc = load_choose_name(search->request, choice->name, image.name, err);

    search->looked_at = 0;
    if (rc < 0)
        return rc;
    rc = stage(search->request, search, &choice->entry, &image, err);
    if (rc < 0)
        return rc;
    return import_add_image(search->request->import, &image, err);
}

static int load_index(struct search *search, const struct image_index *index, struct error *err)
{
    AUTO_FREE struct choice *choices = calloc(index->count + 1, sizeof(*choices));
    size_t count = 0;
    int rc;

    if (!choices)
        return error_set_errno(err, ENOMEM, "import");
    rc = find_choices(search, index, choices, &count, err);
    if (rc < 0)
        return rc;
    if (search->request->name || search->request->unnamed) {
        rc = keep_one(choices, &count, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < count; i++) {
        rc = load_choice(search, &choices[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int load_oci(const struct load_request *request, struct error *err)
{
    struct search search = {.request = request};
    AUTO_FREE char *text = NULL;
    AUTO_INDEX struct image_index index = {0};
    size_t size;
    int rc = source_read(request->source, "index.json", &text, &size, err);

    if (rc < 0)
        return rc;
    rc = index_parse(text, size, "index.json", &index, err);
    if (rc < 0)
        return rc;
    return load_index(&search, &index, err);
}
