/* SPDX-License-Identifier: Apache-2.0 */
/* Open and read the image store; its layout is in store.h. */
#include "vmm/image/store.h"

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
#include "vmm/image/config.h"
#include "vmm/image/document.h"
#include "vmm/image/store_private.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

int store_default_path(char **path, struct error *err)
{
    const char *configured = getenv("MICROVM_STORE");
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int size;

    if (configured && *configured)
        size = asprintf(path, "%s", configured);
    else if (geteuid() == 0)
        size = asprintf(path, "/var/lib/microvm");
    else if (data && data[0] == '/')
        size = asprintf(path, "%s/microvm", data);
    else if (home && home[0] == '/')
        size = asprintf(path, "%s/.local/share/microvm", home);
    else
        return error_set(err, ENOENT,
                         "no place for the image store: set HOME or MICROVM_STORE to a directory");
    return size < 0 ? error_set_errno(err, ENOMEM, "image store") : 0;
}

static int make_directories(const char *path, struct error *err)
{
    AUTO_FREE char *copy = strdup(path);

    if (!copy)
        return error_set_errno(err, ENOMEM, "image store %s", path);
    for (char *at = copy + 1; at[-1]; at++) {
        char kept = *at;

        if (kept != '/' && kept != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return error_set_errno(err, errno, "image store %s: cannot create %s", path, copy);
        *at = kept;
    }
    return 0;
}

static int write_new_file(int directory, const char *name, const char *text, struct error *err)
{
    AUTO_CLOSE int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int rc;

    if (fd < 0)
        return error_set_errno(err, errno, "%s", name);
    rc = io_write_all(fd, text, strlen(text));
    if (rc < 0) {
        unlinkat(directory, name, 0);
        return error_set_errno(err, -rc, "%s", name);
    }
    return 0;
}

/* Can only this user change `name` (in the store; "." is the store)? True for a missing one. */
static int check_owner(const struct store *store, const char *name, struct error *err)
{
    struct stat status;

    if (fstatat(store->directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
    /* Everybody may read a store of root; root itself trusts no other user. */
    if (status.st_uid != geteuid() && (store->access == STORE_WRITE || status.st_uid != 0))
        return error_set(err, EPERM,
                         "%s%sbelongs to user %u, not to you (user %u); run as that user, or let "
                         "MICROVM_STORE name your own store",
                         strcmp(name, ".") == 0 ? "" : name, strcmp(name, ".") == 0 ? "" : " ",
                         status.st_uid, geteuid());
    if (!S_ISLNK(status.st_mode) && (status.st_mode & 022))
        return error_set(err, EPERM,
                         "other users than its owner can write to it (%s, mode %04o); if you trust "
                         "them, 'chmod go-w', and load its images again",
                         name, status.st_mode & 07777);
    return 0;
}

/* If others can write to the store, they can replace the roots of images. */
static int check_owners(const struct store *store, struct error *err)
{
    static const char *const names[] = {".",     "index.json", "blobs",     "blobs/sha256",
                                        "roots", "tmp",        "oci-layout"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        int rc = check_owner(store, names[i], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Refuses to create a store among other files. */
static int check_is_store_or_empty(struct store *store, struct error *err)
{
    DIR *listing;
    const struct dirent *item;
    bool empty = true;
    int copy;

    if (faccessat(store->directory, "oci-layout", F_OK, 0) == 0)
        return 0;
    copy = openat(store->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    listing = copy < 0 ? NULL : fdopendir(copy);
    if (!listing) {
        cleanup_close(&copy);
        return error_set_errno(err, errno, "cannot list it");
    }
    while ((item = readdir(listing))) {
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0 &&
            strcmp(item->d_name, "lock") != 0)
            empty = false;
    }
    closedir(listing);
    /* Another process may have created a store meanwhile. */
    if (empty || faccessat(store->directory, "oci-layout", F_OK, 0) == 0)
        return 0;
    return error_set(err, EINVAL,
                     "is a directory with other files, not an image store (it has no oci-layout); "
                     "let MICROVM_STORE name another one");
}

static int make_layout(struct store *store, struct error *err)
{
    static const char *const folders[] = {"blobs", "blobs/sha256", "roots", "tmp"};

    if (faccessat(store->directory, "oci-layout", F_OK, 0) < 0) {
        int rc = write_new_file(store->directory, "oci-layout", LAYOUT_TEXT, err);

        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        if (mkdirat(store->directory, folders[i], 0755) < 0 && errno != EEXIST)
            return error_set_errno(err, errno, "%s", folders[i]);
    }
    return 0;
}

static int take_lock(struct store *store, struct error *err)
{
    bool write = store->access == STORE_WRITE;

    store->lock = openat(store->directory, "lock",
                         (write ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (store->lock < 0) {
        /* A reader needs no lock to see a consistent index, since rename replaces it; the lock only
         * prevents that blobs are pruned meanwhile. */
        if (!write)
            return 0;
        return error_set_errno(err, errno, "lock");
    }
    while (flock(store->lock, write ? LOCK_EX : LOCK_SH) < 0) {
        if (errno != EINTR)
            return error_set_errno(err, errno, "lock");
    }
    return 0;
}

int store_derive(struct store *store, struct error *err)
{
    json_t *items = json_object_get(store->index, "manifests");
    struct store_entry *entries;

    if (!json_is_array(items))
        return error_set(err, EBADMSG, "index.json: no list of manifests");
    entries = calloc(json_array_size(items) + 1, sizeof(*entries));
    if (!entries)
        return error_set_errno(err, ENOMEM, "index.json");
    free(store->entries);
    store->entries = entries;
    store->count = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *name = json_string_value(
            json_object_get(json_object_get(item, "annotations"), STORE_ANNOTATION));
        int rc = document_descriptor(item, "index.json", entries[i].digest, &entries[i].size, err);

        if (rc < 0)
            return rc;
        if (name)
            snprintf(entries[i].name, sizeof(entries[i].name), "%s", name);
        store->count++;
    }
    return 0;
}

static int read_index(struct store *store, struct error *err)
{
    AUTO_FREE char *text = NULL;
    size_t size;
    struct error problem = ERROR_INIT;
    int rc = io_read_file(store->directory, "index.json", STORE_JSON_MAX, &text, &size, &problem);

    if (rc == -ENOENT) {
        store->index = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType",
                                 "application/vnd.oci.image.index.v1+json", "manifests");
        if (!store->index)
            return error_set_errno(err, ENOMEM, "index.json");
    } else if (rc < 0) {
        return error_set(err, problem.code, "%s", problem.text);
    } else {
        rc = document_parse(text, size, false, "index.json", &store->index, err);
        if (rc < 0)
            return rc;
    }
    return store_derive(store, err);
}

/* Everything except the directory. */
static int open_content(struct store *store, struct error *err)
{
    int rc = check_is_store_or_empty(store, err);

    if (rc < 0)
        return rc;
    rc = check_owners(store, err);
    if (rc < 0)
        return rc;
    rc = take_lock(store, err);
    if (rc < 0)
        return rc;
    if (store->access == STORE_WRITE) {
        rc = make_layout(store, err);
        if (rc < 0)
            return rc;
    }
    return read_index(store, err);
}

static int open_parts(struct store *store, struct error *err)
{
    int rc;

    if (store->access == STORE_WRITE) {
        rc = make_directories(store->path, err);
        if (rc < 0)
            return rc;
    }
    store->directory = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory < 0) {
        if (errno == ENOENT && store->access == STORE_READ)
            return 0;
        return error_set_errno(err, errno, "image store %s", store->path);
    }
    rc = open_content(store, err);
    return rc < 0 ? error_wrap(err, rc, "image store %s", store->path) : 0;
}

int store_open(const char *path, enum store_access access, struct store **store, struct error *err)
{
    struct store *opened = calloc(1, sizeof(*opened));
    int rc;

    if (!opened)
        return error_set_errno(err, ENOMEM, "image store %s", path);
    opened->directory = -1;
    opened->lock = -1;
    opened->access = access;
    opened->path = strdup(path);
    rc = opened->path ? open_parts(opened, err)
                      : error_set_errno(err, ENOMEM, "image store %s", path);
    if (rc < 0) {
        store_close(opened);
        return rc;
    }
    *store = opened;
    return 0;
}

void store_close(struct store *store)
{
    cleanup_close(&store->directory);
    cleanup_close(&store->lock);
    json_decref(store->index);
    free(store->entries);
    free(store->path);
    free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int store_directory(const struct store *store)
{
    return store->directory;
}

size_t store_count(const struct store *store)
{
    return store->count;
}

const struct store_entry *store_entry(const struct store *store, size_t index)
{
    return &store->entries[index];
}

void store_blob_name(const char *digest, char name[STORE_NAME_SIZE])
{
    snprintf(name, STORE_NAME_SIZE, "blobs/sha256/%s", digest + DIGEST_PREFIX_LENGTH);
}

void store_root_name(const char *config_digest, const char *suffix, char name[STORE_NAME_SIZE])
{
    snprintf(name, STORE_NAME_SIZE, "roots/%s%s", config_digest + DIGEST_PREFIX_LENGTH, suffix);
}

int store_read_blob(const struct store *store, const char *digest, char **data, size_t *size,
                    struct error *err)
{
    AUTO_FREE char *text = NULL;
    char name[STORE_NAME_SIZE];
    char actual[DIGEST_SIZE];
    size_t length;
    int rc;

    store_blob_name(digest, name);
    rc = io_read_file(store->directory, name, STORE_JSON_MAX, &text, &length, err);
    if (rc < 0)
        return error_wrap(err, rc, "image store %s", store->path);
    digest_of(text, length, actual);
    if (strcmp(actual, digest) != 0)
        return error_set(err, EBADMSG,
                         "image store %s: %s is damaged (its digest is %s); remove the image and "
                         "load it again",
                         store->path, name, actual);
    *size = length;
    *data = steal_pointer(text);
    return 0;
}
