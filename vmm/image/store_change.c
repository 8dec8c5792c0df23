/* SPDX-License-Identifier: Apache-2.0 */
/* Change the image store: names, removal, pruning. Every change ends in one rename of
 * index.json. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/json.h"
#include "vmm/image/config.h"
#include "vmm/image/document.h"
#include "vmm/image/store_private.h"

#define SWEEP_DEPTH_MAX 64

/* Replaces index.json by `text`; 0 or -errno. */
static int replace_index(const struct store *store, const char *text)
{
    AUTO_CLOSE int fd =
        openat(store->directory, "index.json.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int rc = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));

    if (rc < 0)
        return rc;
    if (fsync(fd) < 0 ||
        renameat(store->directory, "index.json.new", store->directory, "index.json") < 0)
        return -errno;
    return 0;
}

static int write_index(struct store *store, struct error *err)
{
    AUTO_FREE char *text = json_to_text(store->index, JSON_INDENT(1));
    int rc;

    if (!text)
        return error_set_errno(err, ENOMEM, "image store %s: index.json", store->path);
    rc = replace_index(store, text);
    if (rc < 0) {
        unlinkat(store->directory, "index.json.new", 0);
        return error_set_errno(err, -rc, "image store %s: cannot write index.json", store->path);
    }
    if (fsync(store->directory) < 0)
        return error_set_errno(err, errno, "image store %s", store->path);
    return store_derive(store, err);
}

/* Does entry `index` have this manifest digest? */
static bool has_digest(const struct store *store, size_t index, const char *digest)
{
    return strcmp(store->entries[index].digest, digest) == 0;
}

/* Is there another entry of the same manifest? */
static bool has_another_entry(const struct store *store, size_t index)
{
    for (size_t i = 0; i < store->count; i++) {
        if (i != index && has_digest(store, i, store->entries[index].digest))
            return true;
    }
    return false;
}

static int out_of_memory(const struct store *store, struct error *err)
{
    return error_set_errno(err, ENOMEM, "image store %s", store->path);
}

/* Removes `name` from the image that has it, unless that is `digest`. Returns 1 if it did, else
 * 0. */
static int release_name(struct store *store, const char *name, const char *digest,
                        struct error *err)
{
    json_t *items = json_object_get(store->index, "manifests");
    int rc;

    for (size_t i = 0; i < store->count; i++) {
        if (strcmp(store->entries[i].name, name) != 0 || has_digest(store, i, digest))
            continue;
        if (has_another_entry(store, i))
            json_array_remove(items, i);
        else
            json_object_del(json_array_get(items, i), "annotations");
        rc = store_derive(store, err);
        return rc < 0 ? rc : 1;
    }
    return 0;
}

int store_tag(struct store *store, const char *name, const char *digest, uint64_t size,
              struct error *err)
{
    json_t *items = json_object_get(store->index, "manifests");
    int released = name[0] ? release_name(store, name, digest, err) : 0;
    AUTO_JSON json_t *item = NULL;

    if (released < 0)
        return released;
    for (size_t i = 0; i < store->count; i++) {
        if (!has_digest(store, i, digest))
            continue;
        if (!name[0] || strcmp(store->entries[i].name, name) == 0)
            return released ? write_index(store, err) : 0; /* nothing to add */
        if (!store->entries[i].name[0]) {
            if (json_object_set_new(json_array_get(items, i), "annotations",
                                    json_pack("{s:s}", STORE_ANNOTATION, name)) < 0)
                return out_of_memory(store, err);
            return write_index(store, err);
        }
    }
    item = json_pack("{s:s, s:s, s:I}", "mediaType", "application/vnd.oci.image.manifest.v1+json",
                     "digest", digest, "size", (json_int_t)size);
    if (item && name[0] &&
        json_object_set_new(item, "annotations", json_pack("{s:s}", STORE_ANNOTATION, name)) < 0)
        return out_of_memory(store, err);
    if (json_array_append(items, item) < 0)
        return out_of_memory(store, err);
    return write_index(store, err);
}

int store_remove(struct store *store, const char *name, const char *digest, struct error *err)
{
    json_t *items = json_object_get(store->index, "manifests");

    for (size_t i = store->count; i-- > 0;) {
        if (has_digest(store, i, digest) && (!name[0] || strcmp(store->entries[i].name, name) == 0))
            json_array_remove(items, i);
    }
    return write_index(store, err);
}

static int list_used_by(const struct store *store, const struct store_entry *entry,
                        struct string_list *used, struct error *err)
{
    static const char *const suffixes[] = {".squashfs", ".passwd", ".group", ".json"};
    AUTO_MANIFEST struct image_manifest manifest = {0};
    AUTO_FREE char *text = NULL;
    char name[STORE_NAME_SIZE];
    size_t size;
    int rc = store_read_blob(store, entry->digest, &text, &size, err);

    if (rc < 0)
        return rc;
    rc = manifest_parse(text, size, entry->digest, &manifest, err);
    if (rc < 0)
        return rc;
    store_blob_name(entry->digest, name);
    rc = string_list_add(used, name);
    store_blob_name(manifest.config_digest, name);
    rc |= string_list_add(used, name);
    for (size_t i = 0; i < manifest.layer_count; i++) {
        store_blob_name(manifest.layers[i].digest, name);
        rc |= string_list_add(used, name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        store_root_name(manifest.config_digest, suffixes[i], name);
        rc |= string_list_add(used, name);
    }
    return rc < 0 ? out_of_memory(store, err) : 0;
}

/* Lists the names of files, relative to the store, that are in use. */
static int list_used(const struct store *store, struct string_list *used, struct error *err)
{
    for (size_t i = 0; i < store->count; i++) {
        int rc = list_used_by(store, &store->entries[i], used, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_used(const struct string_list *used, const char *name)
{
    for (size_t i = 0; i < used->count; i++) {
        if (strcmp(used->items[i], name) == 0)
            return true;
    }
    return false;
}

static DIR *open_listing(int directory, const char *path)
{
    int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);

    if (!listing)
        cleanup_close(&fd);
    return listing;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes the files of one folder that `used` does not list. */
static int sweep_folder(const struct store *store, const char *folder,
                        const struct string_list *used, struct store_pruned *pruned,
                        struct error *err)
{
    AUTO_CLOSEDIR DIR *listing = open_listing(store->directory, folder);
    const struct dirent *item;

    if (!listing)
        return error_set_errno(err, errno, "image store %s: %s", store->path, folder);
    while ((item = readdir(listing))) {
        char path[STORE_NAME_SIZE + sizeof(item->d_name)];
        struct stat status;

        snprintf(path, sizeof(path), "%s/%s", folder, item->d_name);
        if (is_dot(item->d_name) || is_used(used, path))
            continue;
        if (fstatat(store->directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            unlinkat(store->directory, path, 0) < 0)
            return error_set_errno(err, errno, "image store %s: %s", store->path, path);
        pruned->files++;
        pruned->bytes += (uint64_t)status.st_size;
    }
    return 0;
}

/* Removes everything beneath `directory`, as far as possible. */
static void remove_contents(int directory, unsigned depth, struct store_pruned *pruned)
{
    AUTO_CLOSEDIR DIR *listing = depth < SWEEP_DEPTH_MAX ? open_listing(directory, ".") : NULL;
    const struct dirent *item;

    while (listing && (item = readdir(listing))) {
        struct stat status;

        if (is_dot(item->d_name) ||
            fstatat(directory, item->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(status.st_mode)) {
            AUTO_CLOSE int fd =
                openat(directory, item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (fd >= 0)
                remove_contents(fd, depth + 1, pruned);
            unlinkat(directory, item->d_name, AT_REMOVEDIR);
        } else if (unlinkat(directory, item->d_name, 0) == 0) {
            pruned->files++;
            pruned->bytes += (uint64_t)status.st_size;
        }
    }
}

int store_sweep_imports(struct store *store, struct store_pruned *pruned, struct error *err)
{
    AUTO_CLOSEDIR DIR *listing = open_listing(store->directory, "tmp");
    const struct dirent *item;

    if (!listing)
        return error_set_errno(err, errno, "image store %s: tmp", store->path);
    while ((item = readdir(listing))) {
        AUTO_CLOSE int fd = -1;

        if (is_dot(item->d_name))
            continue;
        fd = openat(dirfd(listing), item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            unlinkat(dirfd(listing), item->d_name, 0); /* not a directory, so not an import */
            continue;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
            continue; /* an import is running there */
        remove_contents(fd, 0, pruned);
        unlinkat(dirfd(listing), item->d_name, AT_REMOVEDIR);
    }
    return 0;
}

static int remove_unnamed(struct store *store, struct error *err)
{
    json_t *items = json_object_get(store->index, "manifests");
    size_t before = store->count;

    for (size_t i = store->count; i-- > 0;) {
        if (!store->entries[i].name[0])
            json_array_remove(items, i);
    }
    return json_array_size(items) < before ? write_index(store, err) : 0;
}

int store_prune(struct store *store, bool unnamed, struct store_pruned *pruned, struct error *err)
{
    AUTO_STRING_LIST struct string_list used = {0};
    int rc = unnamed ? remove_unnamed(store, err) : 0;

    *pruned = (struct store_pruned){0};
    if (rc < 0)
        return rc;
    rc = list_used(store, &used, err);
    if (rc < 0)
        return rc;
    rc = sweep_folder(store, "blobs/sha256", &used, pruned, err);
    if (rc < 0)
        return rc;
    rc = sweep_folder(store, "roots", &used, pruned, err);
    if (rc < 0)
        return rc;
    return store_sweep_imports(store, pruned, err);
}
