/* SPDX-License-Identifier: Apache-2.0 */
/* Open one stored image; see image.h. */
#include "vmm/image/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/store_root.h"

#define SIDE_FILE_MAX (1U << 20) /* bytes; an import stores none that is larger */

static int read_manifest(const struct store *store, const struct store_entry *entry,
                         const char *what, struct image *image, struct error *err)
{
    AUTO_MANIFEST struct image_manifest manifest = {0};
    AUTO_FREE char *text = NULL;
    size_t size;
    int rc = store_read_blob(store, entry->digest, &text, &size, err);

    if (rc < 0)
        return rc;
    rc = manifest_parse(text, size, what, &manifest, err);
    if (rc < 0)
        return rc;
    memcpy(image->manifest_digest, entry->digest, DIGEST_SIZE);
    memcpy(image->config_digest, manifest.config_digest, DIGEST_SIZE);
    return 0;
}

static int read_config(const struct store *store, const struct store_entry *entry, const char *what,
                       struct image *image, struct error *err)
{
    AUTO_FREE char *text = NULL;
    size_t size;
    int rc = read_manifest(store, entry, what, image, err);

    if (rc < 0)
        return rc;
    rc = store_read_blob(store, image->config_digest, &text, &size, err);
    if (rc < 0)
        return rc;
    rc = config_parse(text, size, what, &image->config, err);
    if (rc < 0)
        return rc;
    return config_check_platform(&image->config, what, err);
}

/* A missing file reads as an empty one. */
static int read_side_file(struct store *store, struct store_root *root, enum store_root_part part,
                          char **text, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    AUTO_FREE char *content = NULL;
    uint64_t size = root->parts[part].size;
    ssize_t count = 0;

    if (size > SIDE_FILE_MAX)
        return error_set(err, EFBIG, "image store %s: a root's side file is larger than %u bytes",
                         store_path(store), SIDE_FILE_MAX);
    if (root->parts[part].digest[0]) {
        fd = store_root_open(store, root, part, false, err);
        if (fd < 0)
            return fd;
    }
    content = calloc(1, (size_t)size + 1);
    if (!content)
        return error_set_errno(err, ENOMEM, "image store %s", store_path(store));
    if (fd >= 0)
        count = io_read_full(fd, content, (size_t)size);
    if (count < 0)
        return error_set_errno(err, (int)-count, "image store %s", store_path(store));
    *text = steal_pointer(content);
    return 0;
}

static int open_squashfs(const struct store *store, struct store_root *root, struct image *image,
                         struct error *err)
{
    int rc = store_root_read(store, image->config_digest, root, err);

    if (rc < 0)
        return rc;
    image->root_fd = store_root_open(store, root, STORE_ROOT_SQUASHFS, false, err);
    return image->root_fd < 0 ? image->root_fd : 0;
}

static int open_root(struct store *store, const char *what, struct image *image, struct error *err)
{
    char name[STORE_NAME_SIZE];
    struct store_root root;
    int rc = open_squashfs(store, &root, image, err);

    if (rc == -ENOENT)
        return error_set_errno(err, ENOENT,
                               "%s: its root file system is missing in the image store %s; load "
                               "the image again",
                               what, store_path(store));
    if (rc < 0)
        return rc;
    rc = read_side_file(store, &root, STORE_ROOT_PASSWD, &image->passwd, err);
    if (rc < 0)
        return rc;
    rc = read_side_file(store, &root, STORE_ROOT_GROUP, &image->group, err);
    if (rc < 0)
        return rc;
    store_root_part_name(image->config_digest, STORE_ROOT_SQUASHFS, name);
    if (asprintf(&image->root_path, "%s/%s", store_path(store), name) < 0) {
        image->root_path = NULL;
        return error_set_errno(err, ENOMEM, "%s", what);
    }
    return 0;
}

static int fill(struct store *store, const char *text, struct image *image, struct error *err)
{
    const struct store_entry *entry;
    struct reference reference;
    int rc = reference_parse(text, &reference, err);

    if (rc < 0)
        return rc;
    if (reference.kind == REFERENCE_PATH)
        return error_set(err, EINVAL, "'%s' is a path, not the name of an image in the store",
                         text);
    rc = store_resolve(store, &reference, &entry, err);
    if (rc < 0)
        return rc;
    if (reference.kind == REFERENCE_NAME)
        snprintf(image->name, sizeof(image->name), "%s", entry->name);
    rc = read_config(store, entry, text, image, err);
    if (rc < 0)
        return rc;
    return open_root(store, text, image, err);
}

int image_open(struct store *store, const char *reference, struct image **image, struct error *err)
{
    struct image *opened = calloc(1, sizeof(*opened));
    int rc;

    if (!opened)
        return error_set_errno(err, ENOMEM, "%s", reference);
    opened->root_fd = -1;
    rc = fill(store, reference, opened, err);
    if (rc < 0) {
        image_close(opened);
        return rc;
    }
    *image = opened;
    return 0;
}

void image_close(struct image *image)
{
    config_release(&image->config);
    cleanup_close(&image->root_fd);
    free(image->root_path);
    free(image->passwd);
    free(image->group);
    free(image);
}
