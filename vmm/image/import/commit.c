/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the end of an import: what is stored already, and the move into the store. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/image/import/import_private.h"
#include "vmm/image/store.h"

static bool has_file(const struct store *store, const char *name)
{
    return faccessat(store_directory(store), name, R_OK, 0) == 0;
}

/* Are the documents sound and all files of this manifest there? Fills manifest and config digest.
 */
static bool is_complete(const struct store *store, const char *digest,
                        char config_digest[DIGEST_SIZE])
{
    struct image_manifest manifest;
    AUTO_FREE char *manifest_text = NULL;
    AUTO_FREE char *config_text = NULL;
    char name[STORE_NAME_SIZE];
    struct error ignored;
    bool complete;
    size_t size;

    if (store_read_blob(store, digest, &manifest_text, &size, &ignored) < 0 ||
        manifest_parse(manifest_text, size, "manifest", &manifest, &ignored) < 0)
        return false;
    memcpy(config_digest, manifest.config_digest, DIGEST_SIZE);
    store_root_name(config_digest, ".squashfs", name);
    complete = has_file(store, name) &&
               store_read_blob(store, config_digest, &config_text, &size, &ignored) == 0;
    for (size_t i = 0; complete && i < manifest.layer_count; i++) {
        store_blob_name(manifest.layers[i].digest, name);
        complete = has_file(store, name);
    }
    manifest_release(&manifest);
    return complete;
}

int import_find_stored(const struct import *import, const char *config_digest,
                       struct imported_image *image)
{
    AUTO_STORE struct store *store = NULL;
    struct error ignored;

    if (store_open(import->store_path, STORE_READ, &store, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < store_count(store); i++) {
        const struct store_entry *entry = store_entry(store, i);
        char stored[DIGEST_SIZE];

        if (!is_complete(store, entry->digest, stored) || strcmp(stored, config_digest) != 0)
            continue;
        memcpy(image->manifest_digest, entry->digest, DIGEST_SIZE);
        memcpy(image->config_digest, stored, DIGEST_SIZE);
        image->manifest_size = entry->size;
        return 1;
    }
    return 0;
}

static int move_files(struct import *import, struct store *store, struct error *err)
{
    for (size_t i = 0; i < import->staged.count; i++) {
        const char *name = import->staged.items[i];
        char path[STORE_NAME_SIZE];
        size_t length = strspn(name, "0123456789abcdef");

        if (length != DIGEST_HEX_LENGTH)
            continue; /* what is left of a file that was staged under another name */
        snprintf(path, sizeof(path), "%s/%s", name[length] ? "roots" : "blobs/sha256", name);
        if (renameat(import->directory, name, store_directory(store), path) < 0)
            return error_set_errno(err, errno, "image store %s: cannot write %s", store_path(store),
                                   path);
    }
    return 0;
}

static int sync_folder(const struct store *store, const char *name, struct error *err)
{
    AUTO_CLOSE int fd = openat(store_directory(store), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_set_errno(err, errno, "image store %s: %s", store_path(store), name);
    return 0;
}

int import_commit(struct import *import, struct error *err)
{
    AUTO_STORE struct store *store = NULL;
    int rc = store_open(import->store_path, STORE_WRITE, &store, err);

    if (rc == 0)
        rc = move_files(import, store, err);
    if (rc == 0 && import->staged.count > 0)
        rc = sync_folder(store, "blobs/sha256", err);
    if (rc == 0 && import->staged.count > 0)
        rc = sync_folder(store, "roots", err);
    for (size_t i = 0; rc == 0 && i < import->image_count; i++) {
        const struct imported_image *image = &import->images[i];
        char config[DIGEST_SIZE];

        /* An image found by import_find_stored() may have been removed since. */
        if (!is_complete(store, image->manifest_digest, config))
            return error_set(err, EAGAIN, "the image was removed meanwhile; load it again");
        rc = store_tag(store, image->name, image->manifest_digest, image->manifest_size, err);
    }
    return rc;
}
