/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: open one stored image; see image.h. */
#include "vmm/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

#define SIDE_FILE_MAX (1U << 20) /* bytes; an import stores none that is larger */

static int read_config(struct store *store, const struct store_entry *entry, const char *what,
                       struct image *image, struct error *err)
{
    AUTO_FREE char *manifest_text = NULL;
    AUTO_FREE char *config_text = NULL;
    struct image_manifest manifest;
    size_t size;
    int rc = store_read_blob(store, entry->digest, &manifest_text, &size, err);

    if (rc == 0)
        rc = manifest_parse(manifest_text, size, what, &manifest, err);
    if (rc < 0)
        return rc;
    memcpy(image->manifest_digest, entry->digest, DIGEST_SIZE);
    memcpy(image->config_digest, manifest.config_digest, DIGEST_SIZE);
    manifest_release(&manifest);
    rc = store_read_blob(store, image->config_digest, &config_text, &size, err);
    if (rc == 0)
        rc = config_parse(config_text, size, what, &image->config, err);
    if (rc == 0)
        rc = config_check_platform(&image->config, what, err);
    return rc;
}

/* A missing file reads as an empty one. */
static int read_side_file(struct store *store, const struct image *image, const char *suffix,
                          char **text, struct error *err)
{
    char name[STORE_NAME_SIZE];
    struct error problem = ERROR_INIT;
    size_t size;
    int rc;

    store_root_name(image->config_digest, suffix, name);
    rc = io_read_file(store_directory(store), name, SIDE_FILE_MAX, text, &size, &problem);
    if (rc == -ENOENT) {
        *text = strdup("");
        return *text ? 0 : error_set_errno(err, ENOMEM, "%s", name);
    }
    return rc < 0
               ? error_set(err, problem.code, "image store %s: %s", store_path(store), problem.text)
               : 0;
}

static int open_root(struct store *store, const char *what, struct image *image, struct error *err)
{
    char name[STORE_NAME_SIZE];

    store_root_name(image->config_digest, ".squashfs", name);
    image->root_fd = openat(store_directory(store), name, O_RDONLY | O_CLOEXEC);
    if (image->root_fd < 0)
        return error_set_errno(err, errno,
                               "%s: its root file system %s/%s is missing; load the image again",
                               what, store_path(store), name);
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
    if (rc == 0 && reference.kind == REFERENCE_NAME)
        snprintf(image->name, sizeof(image->name), "%s", entry->name);
    if (rc == 0)
        rc = read_config(store, entry, text, image, err);
    if (rc == 0)
        rc = open_root(store, text, image, err);
    if (rc == 0)
        rc = read_side_file(store, image, ".passwd", &image->passwd, err);
    if (rc == 0)
        rc = read_side_file(store, image, ".group", &image->group, err);
    return rc;
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
