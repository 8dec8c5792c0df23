/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the import's files and what they are; see import.h. */
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
    int rc = channel_ask(import->channel, &message, &fd, err);

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
        rc = channel_ask(import->channel, &message, &fd, err);
    return rc < 0 ? error_set_errno(err, -rc, "%s", path) : fd;
}

static const struct staged_blob *find_blob(const struct import *import, const char *digest)
{
    for (size_t i = 0; i < import->blob_count; i++) {
        if (strcmp(import->blobs[i].digest, digest) == 0)
            return &import->blobs[i];
    }
    return NULL;
}

static int add_blob(struct import *import, const char digest[DIGEST_SIZE], uint32_t number,
                    struct error *err)
{
    struct load_message message = {.call = LOAD_BLOB, .file = number};
    struct staged_blob *blobs;

    if (find_blob(import, digest))
        return 0;
    blobs = reallocarray(import->blobs, import->blob_count + 1, sizeof(*blobs));
    if (!blobs)
        return error_set_errno(err, ENOMEM, "import");
    import->blobs = blobs;
    memcpy(blobs[import->blob_count].digest, digest, DIGEST_SIZE);
    blobs[import->blob_count++].number = number;
    memcpy(message.digest, digest, DIGEST_SIZE);
    return channel_tell(import->channel, &message, err);
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
    if (find_blob(import, digest))
        return 0;
    rc = write_file(import, text, size, &number, err);
    return rc < 0 ? rc : add_blob(import, digest, number, err);
}

int import_add_part(struct import *import, enum load_part part, const char *config_digest,
                    uint32_t number, struct error *err)
{
    struct load_message message = {.call = LOAD_ROOT, .file = number, .part = part};

    memcpy(message.config, config_digest, DIGEST_SIZE);
    return channel_tell(import->channel, &message, err);
}

int import_stage_part(struct import *import, enum load_part part, const char *config_digest,
                      const void *data, size_t size, struct error *err)
{
    uint32_t number = 0;
    int rc = write_file(import, data, size, &number, err);

    return rc < 0 ? rc : import_add_part(import, part, config_digest, number, err);
}

/* The copy must be what the descriptor says; from then on the layer goes by the copy's digest. */
static int check_layer(struct image_layer *layer, const struct source_copy *copy, struct error *err)
{
    char actual[DIGEST_ANY_SIZE];
    int rc = 0;

    memcpy(actual, copy->digest, DIGEST_SIZE);
    if (!digest_is_valid(layer->digest))
        rc = digest_of_file_like(copy->fd, layer->digest, actual);
    if (rc < 0)
        return error_set_errno(err, -rc, "layer %.19s", layer->digest);
    if (copy->size != layer->size)
        return error_set(err, EBADMSG, "layer %.19s is damaged: it has %llu bytes instead of %llu",
                         layer->digest, (unsigned long long)copy->size,
                         (unsigned long long)layer->size);
    if (strcmp(actual, layer->digest) != 0)
        return error_set(err, EBADMSG, "layer %.19s is damaged: its digest is %s", layer->digest,
                         actual);
    memcpy(layer->digest, copy->digest, DIGEST_SIZE);
    return 0;
}

/* gzip and zstd begin with these bytes; a tar archive never does. */
static enum layer_compression sniff(int fd)
{
    unsigned char magic[4] = {0};

    if (io_pread_full(fd, magic, sizeof(magic), 0) < 0)
        return LAYER_PLAIN; /* reading it will fail again, with a message */
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return LAYER_GZIP;
    if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
        return LAYER_ZSTD;
    return LAYER_PLAIN;
}

int import_stage_layer(struct import *import, struct source *source, const char *member,
                       struct image_layer *layer, struct error *err)
{
    struct source_copy copy = {.fd = -1};
    int rc;

    if (layer->digest[0] && find_blob(import, layer->digest))
        return 0;
    rc = source_copy(source, member, &copy, err);
    if (rc == 0 && layer->digest[0])
        rc = check_layer(layer, &copy, err);
    else if (rc == 0) {
        memcpy(layer->digest, copy.digest, DIGEST_SIZE);
        layer->size = copy.size;
        layer->compression = sniff(copy.fd);
    }
    cleanup_close(&copy.fd);
    return rc < 0 ? rc : add_blob(import, copy.digest, copy.number, err);
}

int import_open_blob(const struct import *import, const char *digest, struct error *err)
{
    const struct staged_blob *blob = find_blob(import, digest);
    struct load_message message = {.call = LOAD_OPEN_FILE};
    int fd = -1;
    int rc = -ENOENT;

    if (blob) {
        message.file = blob->number;
        rc = channel_ask(import->channel, &message, &fd, err);
    }
    return rc < 0 ? error_set_errno(err, -rc, "layer %.19s", digest) : fd;
}

int import_find_stored(const struct import *import, const char *config_digest,
                       struct imported_image *image)
{
    struct load_message message = {.call = LOAD_FIND_STORED};

    memcpy(message.config, config_digest, DIGEST_SIZE);
    if (channel_ask(import->channel, &message, NULL, NULL) <= 0)
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
    return channel_tell(import->channel, &message, err);
}
