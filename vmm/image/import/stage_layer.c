/* SPDX-License-Identifier: Apache-2.0 */
/* Copy a member of the source to a blob of the import; see stage_layer.h. */
#include "vmm/image/import/stage_layer.h"

#include <errno.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

/* Checks the copy against the descriptor; from then on the layer has the copy's digest. */
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

static int describe_layer(struct image_layer *layer, const struct source_copy *copy,
                          struct error *err)
{
    if (layer->digest[0])
        return check_layer(layer, copy, err);
    memcpy(layer->digest, copy->digest, DIGEST_SIZE);
    layer->size = copy->size;
    layer->compression = sniff(copy->fd);
    return 0;
}

int import_stage_layer(struct import *import, struct source *source, const char *member,
                       struct image_layer *layer, struct error *err)
{
    struct source_copy copy;
    int rc;

    if (layer->digest[0] && import_find_blob(import, layer->digest))
        return 0;
    rc = source_copy(source, member, &copy, err);
    if (rc < 0)
        return rc;
    rc = describe_layer(layer, &copy, err);
    cleanup_close(&copy.fd);
    return rc < 0 ? rc : import_add_blob(import, copy.digest, copy.number, err);
}
