/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a load: verify the results of the import, and move them into the store.
 *
 * The import has exited, so the files do not change any more. None of its claims is trusted: each
 * blob is hashed, documents are parsed, and only what an image needs is moved. The one thing that
 * cannot be verified is that a root matches its layers (that would be a second import); so it never
 * replaces a root of the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/config.h"
#include "vmm/image/load_private.h"
#include "vmm/image/store_root.h"

_Static_assert((int)LOAD_SQUASHFS == STORE_ROOT_SQUASHFS && (int)LOAD_PASSWD == STORE_ROOT_PASSWD &&
                   (int)LOAD_GROUP == STORE_ROOT_GROUP && (int)LOAD_PARTS == STORE_ROOT_PARTS,
               "parts have the same numbers on the channel and in the store");

static bool has_file(const struct store *store, const char *name)
{
    return faccessat(store_directory(store), name, R_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Do the root and its record exist, unchanged since they were recorded? */
static bool has_root(const struct store *store, const char *config_digest)
{
    struct store_root root;

    if (store_root_read(store, config_digest, &root, NULL) < 0)
        return false;
    for (size_t i = 0; i < STORE_ROOT_PARTS; i++) {
        int fd = root.parts[i].digest[0] ? store_root_open(store, &root, i, false, NULL) : -1;

        if (root.parts[i].digest[0] && fd < 0)
            return false;
        cleanup_close(&fd);
    }
    return true;
}

/* Are the documents valid, and do all files of this manifest exist? Its config must be `config`. */
static bool is_complete(const struct store *store, const char *digest, const char *config)
{
    AUTO_MANIFEST struct image_manifest manifest = {0};
    AUTO_FREE char *manifest_text = NULL;
    AUTO_FREE char *config_text = NULL;
    size_t size;

    if (store_read_blob(store, digest, &manifest_text, &size, NULL) < 0 ||
        manifest_parse(manifest_text, size, "manifest", &manifest, NULL) < 0)
        return false;
    if (strcmp(manifest.config_digest, config) != 0 || !has_root(store, config) ||
        store_read_blob(store, config, &config_text, &size, NULL) < 0)
        return false;
    for (size_t i = 0; i < manifest.layer_count; i++) {
        char name[STORE_NAME_SIZE];

        store_blob_name(manifest.layers[i].digest, name);
        if (!has_file(store, name))
            return false;
    }
    return true;
}

bool load_find_stored(const struct store *store, const char *config_digest,
                      char manifest_digest[DIGEST_SIZE], uint64_t *manifest_size)
{
    for (size_t i = 0; i < store_count(store); i++) {
        const struct store_entry *entry = store_entry(store, i);

        if (!is_complete(store, entry->digest, config_digest))
            continue;
        memcpy(manifest_digest, entry->digest, DIGEST_SIZE);
        *manifest_size = entry->size;
        return true;
    }
    return false;
}

static struct load_file *find_file(const struct load *load, uint32_t call, uint32_t part,
                                   const char *digest, uint32_t *number)
{
    for (size_t i = 0; i < load->count; i++) {
        struct load_file *file = &load->files[i];

        if (file->call == call && (call == LOAD_BLOB || file->part == part) &&
            strcmp(file->digest, digest) == 0) {
            *number = (uint32_t)i;
            return file;
        }
    }
    return NULL;
}

static int open_number(const struct load *load, uint32_t number)
{
    char name[16];

    snprintf(name, sizeof(name), "%u", number);
    return openat(load->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* Hashes a file and makes it durable. */
static int hash_file(const struct load *load, uint32_t number, char digest[DIGEST_SIZE],
                     struct error *err)
{
    AUTO_CLOSE int fd = open_number(load, number);
    int rc = fd < 0 ? -errno : digest_of_file(fd, digest);

    if (rc < 0)
        return error_set_errno(err, -rc, "cannot read the imported files");
    if (fsync(fd) < 0)
        return error_set_errno(err, errno, "cannot read the imported files");
    return 0;
}

/* Marks the blob `digest` as needed, and checks its digest. */
static int want_blob(const struct load *load, const char *digest, struct error *err)
{
    uint32_t number;
    struct load_file *file = find_file(load, LOAD_BLOB, 0, digest, &number);
    char actual[DIGEST_SIZE];
    int rc;

    if (!file)
        return error_set(err, EPROTO, "microvm-import did not deliver the blob %.19s", digest);
    if (file->is_wanted)
        return 0;
    rc = hash_file(load, number, actual, err);
    if (rc < 0)
        return rc;
    if (strcmp(actual, digest) != 0)
        return error_set(err, EBADMSG, "the blob %.19s was imported with the digest %s", digest,
                         actual);
    file->is_wanted = true;
    return 0;
}

static int read_document(const struct load *load, const char *digest, char **text, size_t *size,
                         struct error *err)
{
    char name[16];
    uint32_t number = 0;
    int rc = want_blob(load, digest, err);

    if (rc < 0 || !find_file(load, LOAD_BLOB, 0, digest, &number))
        return rc;
    snprintf(name, sizeof(name), "%u", number);
    return io_read_file(load->directory, name, STORE_JSON_MAX, text, size, err);
}

static int check_config(const struct load *load, const struct image_manifest *manifest,
                        struct error *err)
{
    AUTO_CONFIG struct image_config config = {0};
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    int rc = read_document(load, manifest->config_digest, &text, &size, err);

    if (rc < 0)
        return rc;
    rc = config_parse(text, size, "image config", &config, err);
    if (rc < 0)
        return rc;
    rc = config_check_platform(&config, "image config", err);
    if (rc < 0)
        return rc;
    if (config.diff_ids.count != manifest->layer_count)
        return error_set(err, EBADMSG, "the manifest has %zu layers and the config %zu",
                         manifest->layer_count, config.diff_ids.count);
    return 0;
}

/* The documents and layers of an image that is not stored yet. */
static int check_image(const struct load *load, const struct load_image *image, struct error *err)
{
    AUTO_MANIFEST struct image_manifest manifest = {0};
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    int rc = read_document(load, image->manifest_digest, &text, &size, err);

    if (rc < 0)
        return rc;
    rc = manifest_parse(text, size, "manifest", &manifest, err);
    if (rc < 0)
        return rc;
    if (strcmp(manifest.config_digest, image->config_digest) != 0 || size != image->manifest_size)
        return error_set(err, EPROTO, "microvm-import sent an invalid message");
    rc = check_config(load, &manifest, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < manifest.layer_count; i++) {
        rc = want_blob(load, manifest.layers[i].digest, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Checks the parts of a root, and puts their digests into its record. */
static int check_root(const struct load *load, const char *config_digest, struct store_root *root,
                      struct error *err)
{
    *root = (struct store_root){0};
    memcpy(root->config_digest, config_digest, DIGEST_SIZE);
    for (uint32_t part = 0; part < LOAD_PARTS; part++) {
        uint32_t number;
        int rc;

        if (!find_file(load, LOAD_ROOT, part, config_digest, &number)) {
            if (part == LOAD_SQUASHFS)
                return error_set(err, EPROTO,
                                 "microvm-import did not deliver the root file system");
            continue;
        }
        rc = hash_file(load, number, root->parts[part].digest, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int move_file(const struct load *load, const struct store *store, uint32_t number,
                     const char *path, struct error *err)
{
    char name[16];

    snprintf(name, sizeof(name), "%u", number);
    if (renameat(load->directory, name, store_directory(store), path) < 0)
        return error_set_errno(err, errno, "image store %s: cannot write %s", store_path(store),
                               path);
    return 0;
}

static int move_blobs(const struct load *load, const struct store *store, struct error *err)
{
    for (size_t i = 0; i < load->count; i++) {
        char path[STORE_NAME_SIZE];
        int rc;

        if (load->files[i].call != LOAD_BLOB || !load->files[i].is_wanted)
            continue;
        store_blob_name(load->files[i].digest, path);
        rc = move_file(load, store, (uint32_t)i, path, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int move_root(const struct load *load, const struct store *store, struct store_root *root,
                     struct error *err)
{
    if (has_root(store, root->config_digest))
        return 0;
    for (uint32_t part = 0; part < LOAD_PARTS; part++) {
        char path[STORE_NAME_SIZE];
        uint32_t number;
        int rc;

        store_root_part_name(root->config_digest, part, path);
        if (!find_file(load, LOAD_ROOT, part, root->config_digest, &number)) {
            unlinkat(store_directory(store), path, 0);
            continue;
        }
        rc = move_file(load, store, number, path, err);
        if (rc < 0)
            return rc;
    }
    return store_root_write(store, root, err);
}

static int sync_folder(const struct store *store, const char *name, struct error *err)
{
    AUTO_CLOSE int fd = openat(store_directory(store), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_set_errno(err, errno, "image store %s: %s", store_path(store), name);
    return 0;
}

static int name_image(struct store *store, const struct load_image *image, struct error *err)
{
    /* An image that was already stored may have been removed meanwhile. */
    if (!is_complete(store, image->manifest_digest, image->config_digest))
        return error_set(err, EAGAIN, "the image was removed meanwhile; load it again");
    return store_tag(store, image->name, image->manifest_digest, image->manifest_size, err);
}

/* Images with the same config share a root. */
static bool is_first(const struct load *load, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(load->images[i].config_digest, load->images[index].config_digest) == 0)
            return false;
    }
    return true;
}

static bool is_staged(const struct load *load, const struct load_image *image)
{
    uint32_t ignored;

    return find_file(load, LOAD_BLOB, 0, image->manifest_digest, &ignored) != NULL;
}

/* The slow part, before the store is locked. */
static int check_images(const struct load *load, struct store_root *roots, struct error *err)
{
    for (size_t i = 0; i < load->image_count; i++) {
        const struct load_image *image = &load->images[i];
        int rc;

        if (!is_staged(load, image))
            continue;
        rc = check_image(load, image, err);
        if (rc < 0)
            return rc;
        if (!is_first(load, i))
            continue;
        rc = check_root(load, image->config_digest, &roots[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Moves the files into place, and makes that durable. */
static int move_files(const struct load *load, const struct store *store, struct store_root *roots,
                      struct error *err)
{
    int rc = move_blobs(load, store, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < load->image_count; i++) {
        rc = roots[i].config_digest[0] ? move_root(load, store, &roots[i], err) : 0;
        if (rc < 0)
            return rc;
    }
    rc = sync_folder(store, "blobs/sha256", err);
    if (rc < 0)
        return rc;
    return sync_folder(store, "roots", err);
}

int load_commit(struct load *load, struct error *err)
{
    AUTO_STORE struct store *store = NULL;
    AUTO_FREE struct store_root *roots = calloc(load->image_count + 1, sizeof(*roots));
    int rc;

    if (!roots)
        return error_set_errno(err, ENOMEM, "import");
    rc = check_images(load, roots, err);
    if (rc < 0)
        return rc;
    rc = store_open(load->options->store, STORE_WRITE, &store, err);
    if (rc < 0)
        return rc;
    rc = move_files(load, store, roots, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < load->image_count; i++) {
        rc = name_image(store, &load->images[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
