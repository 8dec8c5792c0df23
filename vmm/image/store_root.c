/* SPDX-License-Identifier: Apache-2.0 */
/* Roots and their records; see store_root.h. */
#include "vmm/image/store_root.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/json.h"
#include "vmm/image/document.h"

#define RECORD_MAX 4096 /* bytes */

static const char *const part_names[STORE_ROOT_PARTS] = {"squashfs", "passwd", "group"};

void store_root_part_name(const char *config_digest, enum store_root_part part,
                          char name[STORE_NAME_SIZE])
{
    char suffix[16];

    snprintf(suffix, sizeof(suffix), ".%s", part_names[part]);
    store_root_name(config_digest, suffix, name);
}

static void make_stamp(const struct stat *status, char stamp[STORE_STAMP_SIZE])
{
    snprintf(stamp, STORE_STAMP_SIZE, "%llx.%llx.%lld.%09ld.%lld.%09ld",
             (unsigned long long)status->st_dev, (unsigned long long)status->st_ino,
             (long long)status->st_mtim.tv_sec, status->st_mtim.tv_nsec,
             (long long)status->st_ctim.tv_sec, status->st_ctim.tv_nsec);
}

/* A new reference; null when out of memory. */
static json_t *record_to_json(const struct store_root *root)
{
    json_t *record = json_object();

    for (size_t i = 0; i < STORE_ROOT_PARTS; i++) {
        if (root->parts[i].digest[0])
            json_put(&record, part_names[i],
                     json_pack("{s:s, s:I, s:s}", "digest", root->parts[i].digest, "size",
                               (json_int_t)root->parts[i].size, "stamp", root->parts[i].stamp));
    }
    return record;
}

/* Writes the file `temporary` of the store and renames it to `name`; 0 or -errno. */
static int replace_file(const struct store *store, const char *temporary, const char *name,
                        const char *text)
{
    AUTO_CLOSE int fd =
        openat(store_directory(store), temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int rc = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));

    if (rc < 0)
        return rc;
    if (fsync(fd) < 0 ||
        renameat(store_directory(store), temporary, store_directory(store), name) < 0)
        return -errno;
    return 0;
}

static int write_record(const struct store *store, const struct store_root *root, struct error *err)
{
    AUTO_JSON json_t *record = record_to_json(root);
    AUTO_FREE char *text = json_to_text(record, JSON_COMPACT);
    char name[STORE_NAME_SIZE];
    char temporary[STORE_NAME_SIZE];
    int rc;

    if (!text)
        return error_set_errno(err, ENOMEM, "image store %s", store_path(store));
    store_root_name(root->config_digest, ".json", name);
    store_root_name(root->config_digest, ".json.new", temporary);
    unlinkat(store_directory(store), temporary, 0);
    rc = replace_file(store, temporary, name, text);
    if (rc < 0) {
        unlinkat(store_directory(store), temporary, 0);
        return error_set_errno(err, -rc, "image store %s: cannot write %s", store_path(store),
                               name);
    }
    return 0;
}

int store_root_write(const struct store *store, struct store_root *root, struct error *err)
{
    for (size_t i = 0; i < STORE_ROOT_PARTS; i++) {
        char name[STORE_NAME_SIZE];
        struct stat status;

        if (!root->parts[i].digest[0])
            continue;
        store_root_part_name(root->config_digest, i, name);
        if (fstatat(store_directory(store), name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return error_set_errno(err, errno, "image store %s: %s", store_path(store), name);
        root->parts[i].size = (uint64_t)status.st_size;
        make_stamp(&status, root->parts[i].stamp);
    }
    return write_record(store, root, err);
}

static int take_part(const json_t *item, struct store_root *root, size_t part)
{
    const char *digest = json_string_value(json_object_get(item, "digest"));
    const char *stamp = json_string_value(json_object_get(item, "stamp"));
    json_int_t size = json_integer_value(json_object_get(item, "size"));

    if (!item)
        return 0; /* the image has no such file */
    if (!digest || !digest_is_valid(digest) || !stamp || size < 0)
        return -EBADMSG;
    snprintf(root->parts[part].digest, DIGEST_SIZE, "%s", digest);
    snprintf(root->parts[part].stamp, STORE_STAMP_SIZE, "%s", stamp);
    root->parts[part].size = (uint64_t)size;
    return 0;
}

static int read_record(const struct store *store, struct store_root *root, struct error *err)
{
    AUTO_FREE char *text = NULL;
    AUTO_JSON json_t *record = NULL;
    char name[STORE_NAME_SIZE];
    size_t size;
    int rc;

    store_root_name(root->config_digest, ".json", name);
    rc = io_read_file(store_directory(store), name, RECORD_MAX, &text, &size, err);
    if (rc < 0)
        return rc;
    rc = document_parse(text, size, false, name, &record, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < STORE_ROOT_PARTS; i++) {
        if (take_part(json_object_get(record, part_names[i]), root, i) < 0)
            return error_set(err, EBADMSG, "%s: is damaged", name);
    }
    if (!root->parts[STORE_ROOT_SQUASHFS].digest[0])
        return error_set(err, EBADMSG, "%s: is damaged", name);
    return 0;
}

int store_root_read(const struct store *store, const char *config_digest, struct store_root *root,
                    struct error *err)
{
    int rc;

    *root = (struct store_root){0};
    memcpy(root->config_digest, config_digest, DIGEST_SIZE);
    rc = read_record(store, root, err);
    return rc < 0 ? error_wrap(err, rc, "image store %s", store_path(store)) : 0;
}

int store_root_open(const struct store *store, struct store_root *root, enum store_root_part part,
                    bool whole, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    char name[STORE_NAME_SIZE];
    char stamp[STORE_STAMP_SIZE];
    char actual[DIGEST_SIZE];
    struct stat status;
    int rc;

    store_root_part_name(root->config_digest, part, name);
    fd = openat(store_directory(store), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "image store %s: %s", store_path(store), name);
    make_stamp(&status, stamp);
    if (!whole && strcmp(stamp, root->parts[part].stamp) == 0)
        return steal_fd(&fd);
    rc = S_ISREG(status.st_mode) ? digest_of_file(fd, actual) : -EINVAL;
    if (rc < 0)
        return error_set_errno(err, -rc, "image store %s: %s", store_path(store), name);
    if (strcmp(actual, root->parts[part].digest) != 0)
        return error_set(err, EBADMSG,
                         "image store %s: %s is damaged (its digest is %s); remove the image and "
                         "load it again",
                         store_path(store), name, actual);
    if (strcmp(stamp, root->parts[part].stamp) != 0) {
        /* So that it is not computed again; if the store cannot be written, it is each time. */
        memcpy(root->parts[part].stamp, stamp, sizeof(stamp));
        write_record(store, root, NULL);
    }
    return steal_fd(&fd);
}
