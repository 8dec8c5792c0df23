/* SPDX-License-Identifier: Apache-2.0 */
/* The import's files and their roles; see import.h. */
#include "vmm/image/import/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/import/channel.h"

void import_release(struct import *import)
{
    free(import->blobs);
    import->blobs = NULL;
    import->blob_count = 0;
}

int import_new_file(struct import *import, uint32_t *number, struct error *err)
{
    struct load_message message = {.call = LOAD_NEW_FILE};
    int fd = -1;
    int rc = channel_call(import->channel, &message, &fd, err);

    if (rc < 0)
        return error_set_errno(err, -rc, "cannot write to the image store");
    *number = message.file;
    return fd;
}

int import_open_member(const struct import *import, const char *path, struct error *err)
{
    struct load_message message = {.call = LOAD_OPEN_MEMBER};
    int fd = -1;
    int rc = -ENAMETOOLONG;

    if (snprintf(message.text, sizeof(message.text), "%s", path) < (int)sizeof(message.text))
        rc = channel_call(import->channel, &message, &fd, err);
    return rc < 0 ? error_set_errno(err, -rc, "%s", path) : fd;
}

const struct staged_blob *import_find_blob(const struct import *import, const char *digest)
{
    for (size_t i = 0; i < import->blob_count; i++) {
        if (strcmp(import->blobs[i].digest, digest) == 0)
            return &import->blobs[i];
    }
    return NULL;
}

int import_add_blob(struct import *import, const char digest[DIGEST_SIZE], uint32_t number,
                    struct error *err)
{
    struct load_message message = {.call = LOAD_BLOB, .file = number};
    struct staged_blob *blobs;

    if (import_find_blob(import, digest))
        return 0;
    blobs = reallocarray(import->blobs, import->blob_count + 1, sizeof(*blobs));
    if (!blobs)
        return error_set_errno(err, ENOMEM, "import");
    import->blobs = blobs;
    memcpy(blobs[import->blob_count].digest, digest, DIGEST_SIZE);
    blobs[import->blob_count++].number = number;
    memcpy(message.digest, digest, DIGEST_SIZE);
    return channel_send(import->channel, &message, err);
}

/* Writes a new file; returns its number in *number. */
static int write_file(struct import *import, const void *data, size_t size, uint32_t *number,
                      struct error *err)
{
    AUTO_CLOSE int fd = import_new_file(import, number, err);
    int rc = fd < 0 ? fd : budget_write(&import->budget, size, err);

    if (rc < 0)
        return rc;
    rc = io_write_all(fd, data, size);
    return rc < 0 ? error_set_errno(err, -rc, "cannot write to the image store") : 0;
}

int import_stage_text(struct import *import, const char *text, size_t size,
                      char digest[DIGEST_SIZE], struct error *err)
{
    uint32_t number = 0;
    int rc;

    digest_of(text, size, digest);
    if (import_find_blob(import, digest))
        return 0;
    rc = write_file(import, text, size, &number, err);
    return rc < 0 ? rc : import_add_blob(import, digest, number, err);
}

int import_add_part(struct import *import, enum load_part part, const char *config_digest,
                    uint32_t number, struct error *err)
{
    struct load_message message = {.call = LOAD_ROOT, .file = number, .part = part};

    memcpy(message.config, config_digest, DIGEST_SIZE);
    return channel_send(import->channel, &message, err);
}

int import_stage_part(struct import *import, enum load_part part, const char *config_digest,
                      const void *data, size_t size, struct error *err)
{
    uint32_t number = 0;
    int rc = write_file(import, data, size, &number, err);

    return rc < 0 ? rc : import_add_part(import, part, config_digest, number, err);
}

int import_open_blob(const struct import *import, const char *digest, struct error *err)
{
    const struct staged_blob *blob = import_find_blob(import, digest);
    struct load_message message = {.call = LOAD_OPEN_FILE};
    int fd = -1;
    int rc = -ENOENT;

    if (blob) {
        message.file = blob->number;
        rc = channel_call(import->channel, &message, &fd, err);
    }
    return rc < 0 ? error_set_errno(err, -rc, "layer %.19s", digest) : fd;
}

int import_find_stored(const struct import *import, const char *config_digest,
                       struct imported_image *image)
{
    struct load_message message = {.call = LOAD_FIND_STORED};

    memcpy(message.config, config_digest, DIGEST_SIZE);
    if (channel_call(import->channel, &message, NULL, NULL) <= 0)
        return 0;
    memcpy(image->manifest_digest, message.digest, DIGEST_SIZE);
    memcpy(image->config_digest, config_digest, DIGEST_SIZE);
    image->manifest_size = message.size;
    return 1;
}

int import_add_image(struct import *import, const struct imported_image *image, struct error *err)
{
    struct load_message message = {.call = LOAD_IMAGE, .size = image->manifest_size};
    int rc = budget_image(&import->budget, err);

    if (rc < 0)
        return rc;
    memcpy(message.digest, image->manifest_digest, DIGEST_SIZE);
    memcpy(message.config, image->config_digest, DIGEST_SIZE);
    snprintf(message.text, sizeof(message.text), "%s", image->name);
    return channel_send(import->channel, &message, err);
}
