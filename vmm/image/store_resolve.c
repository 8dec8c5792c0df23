/* SPDX-License-Identifier: Apache-2.0 */
/* Find the stored image that a reference means, in docker's order: name, then ID. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/image/config.h"
#include "vmm/image/store_private.h"

static const struct store_entry *find_name(const struct store *store, const char *name)
{
    for (size_t i = 0; i < store->count; i++) {
        if (store->entries[i].name[0] && strcmp(store->entries[i].name, name) == 0)
            return &store->entries[i];
    }
    return NULL;
}

/* By the digest of a manifest; the image must have `name` with any tag. */
static const struct store_entry *find_digest(const struct store *store,
                                             const struct reference *reference)
{
    size_t length = strlen(reference->name);

    for (size_t i = 0; i < store->count; i++) {
        const struct store_entry *entry = &store->entries[i];

        if (strcmp(entry->digest, reference->digest) == 0 &&
            strncmp(entry->name, reference->name, length) == 0 && entry->name[length] == ':')
            return entry;
    }
    return NULL;
}

/* Finds an image by a prefix of its config's digest, or by the whole digest of its manifest. */
static int find_id(const struct store *store, const char *prefix, const struct store_entry **found,
                   struct error *err)
{
    char first[DIGEST_SIZE] = "";

    *found = NULL;
    for (size_t i = 0; i < store->count; i++) {
        const struct store_entry *entry = &store->entries[i];
        AUTO_MANIFEST struct image_manifest manifest = {0};
        AUTO_FREE char *text = NULL;
        size_t size;

        if (strcmp(entry->digest, prefix) == 0) {
            *found = entry;
            return 0;
        }
        if (store_read_blob(store, entry->digest, &text, &size, NULL) < 0 ||
            manifest_parse(text, size, entry->digest, &manifest, NULL) < 0)
            continue; /* a damaged image must not hide the others */
        if (strncmp(manifest.config_digest, prefix, strlen(prefix)) != 0)
            continue;
        if (*found && strcmp(first, manifest.config_digest) != 0)
            return error_set(err, ENOTUNIQ, "image ID %s fits several images; write more digits",
                             prefix + DIGEST_PREFIX_LENGTH);
        if (!*found) {
            *found = entry;
            memcpy(first, manifest.config_digest, sizeof(first));
        }
    }
    return 0;
}

int store_resolve(struct store *store, const struct reference *reference,
                  const struct store_entry **entry, struct error *err)
{
    char text[REFERENCE_TEXT_SIZE];
    int rc;

    *entry = NULL;
    if (reference->kind == REFERENCE_ID) {
        rc = find_id(store, reference->digest, entry, err);
        if (rc < 0)
            return rc;
        if (!*entry)
            return error_set(err, ENOENT, "no image with ID %s in the store %s", reference->digest,
                             store->path);
        return 0;
    }
    reference_format(reference, text, sizeof(text));
    *entry = reference->digest[0] ? find_digest(store, reference) : find_name(store, text);
    if (!*entry && reference->maybe_id) {
        char prefix[DIGEST_SIZE];

        snprintf(prefix, sizeof(prefix), DIGEST_PREFIX "%.*s", DIGEST_HEX_LENGTH, reference->name);
        rc = find_id(store, prefix, entry, err);
        if (rc < 0)
            return rc;
    }
    if (!*entry)
        return error_set(err, ENOENT,
                         "no image '%s' in the store %s; 'microvm image ls' lists the images, "
                         "'microvm image load FILE' adds one",
                         text, store->path);
    return 0;
}
