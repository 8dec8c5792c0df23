/* SPDX-License-Identifier: Apache-2.0 */
/* From staged layers to a staged root file system; see build.h. */
#include "vmm/image/import/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/image/import/layer.h"
#include "vmm/image/import/squash.h"

#define SIDE_FILE_MAX (1U << 20) /* bytes; see image.c */

int build_begin(struct import *import, struct build *build, struct error *err)
{
    uint32_t number = 0;
    int fd = import_new_file(import, &number, err);

    build->tree = NULL;
    spool_open(&build->spool, fd, &import->budget);
    if (fd < 0)
        return fd;
    build->tree = tree_create();
    return build->tree ? 0 : error_set_errno(err, ENOMEM, "import");
}

void build_end(struct build *build)
{
    if (build->tree)
        tree_destroy(build->tree);
    spool_close(&build->spool);
}

/* `actual` gets the digest of the uncompressed layer, of the kind of `wanted`. */
static int apply_layer(struct build *build, int fd, const char *wanted, char diff_id[DIGEST_SIZE],
                       char actual[DIGEST_ANY_SIZE], struct error *err)
{
    int rc = layer_apply(fd, build->tree, &build->spool, actual, err);

    if (rc < 0)
        return rc;
    if (diff_id)
        memcpy(diff_id, actual, DIGEST_SIZE);
    if (wanted && !digest_is_valid(wanted))
        return layer_digest(fd, &build->spool, wanted, actual, err);
    return 0;
}

int build_add_layer(const struct import *import, struct build *build,
                    const struct image_layer *layer, const char *wanted, char diff_id[DIGEST_SIZE],
                    struct error *err)
{
    AUTO_CLOSE int fd = import_open_blob(import, layer->digest, err);
    char actual[DIGEST_ANY_SIZE];
    int rc;

    if (fd < 0)
        return fd;
    rc = apply_layer(build, fd, wanted, diff_id, actual, err);
    if (rc < 0)
        return error_wrap(err, rc, "layer %.19s", layer->digest);
    if (wanted && strcmp(wanted, actual) != 0)
        return error_set(
            err, EBADMSG,
            "layer %.19s is damaged: its uncompressed digest is %s and the config says "
            "%.19s",
            layer->digest, actual, wanted);
    return 0;
}

static int read_small_file(const struct build *build, const char *path, char **data, size_t *size,
                           struct error *err)
{
    const struct tree_inode *inode = tree_find(build->tree, path);
    AUTO_FREE char *text = NULL;

    *data = NULL;
    if (!inode || !S_ISREG(inode->mode) || inode->size > SIDE_FILE_MAX)
        return 0;
    text = calloc(1, (size_t)inode->size + 1);
    if (!text)
        return error_set_errno(err, ENOMEM, "%s", path);
    for (size_t i = 0; i < inode->segment_count; i++) {
        const struct tree_segment *segment = &inode->segments[i];
        int rc = spool_read(&build->spool, segment->spool, text + segment->offset,
                            (size_t)segment->length, err);

        if (rc < 0)
            return rc;
    }
    *size = (size_t)inode->size;
    *data = steal_pointer(text);
    return 0;
}

static int stage_side_file(struct import *import, const struct build *build, const char *path,
                           const char *config_digest, enum load_part part, struct error *err)
{
    AUTO_FREE char *text = NULL;
    size_t size = 0;
    int rc = read_small_file(build, path, &text, &size, err);

    return rc < 0 || !text ? rc : import_stage_part(import, part, config_digest, text, size, err);
}

static int write_root(struct import *import, struct build *build, const char *config_digest,
                      struct error *err)
{
    uint32_t number = 0;
    AUTO_CLOSE int fd = import_new_file(import, &number, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = squash_write(build->tree, &build->spool, fd, err);
    return rc < 0 ? rc : import_add_part(import, LOAD_SQUASHFS, config_digest, number, err);
}

static int make_directories(const struct build *build, const struct image_config *config,
                            struct error *err)
{
    for (size_t i = 0; i < config->volumes.count; i++) {
        int rc = tree_require_directory(build->tree, config->volumes.items[i], err);

        if (rc < 0)
            return rc;
    }
    return config->working_dir ? tree_require_directory(build->tree, config->working_dir, err) : 0;
}

int build_finish(struct import *import, struct build *build, const struct image_config *config,
                 const char *config_digest, struct error *err)
{
    int rc = make_directories(build, config, err);

    if (rc < 0)
        return rc;
    rc = stage_side_file(import, build, "etc/passwd", config_digest, LOAD_PASSWD, err);
    if (rc < 0)
        return rc;
    rc = stage_side_file(import, build, "etc/group", config_digest, LOAD_GROUP, err);
    if (rc < 0)
        return rc;
    return write_root(import, build, config_digest, err);
}
