/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the import transaction; see import.h. */
#include "vmm/image/import/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/import/import_private.h"
#include "vmm/image/store.h"

static int make_directory(struct store *store, struct import *import, struct error *err)
{
    char path[64];

    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        snprintf(import->name, sizeof(import->name), "%d.%u", (int)getpid(), attempt);
        snprintf(path, sizeof(path), "tmp/%s", import->name);
        if (mkdirat(store_directory(store), path, 0700) == 0)
            break;
        if (errno != EEXIST)
            return error_set_errno(err, errno, "image store %s: tmp", store_path(store));
    }
    import->directory =
        openat(store_directory(store), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (import->directory < 0 || flock(import->directory, LOCK_EX | LOCK_NB) < 0)
        return error_set_errno(err, errno, "image store %s: %s", store_path(store), path);
    return 0;
}

int import_begin(const char *store_path, struct import *import, struct error *err)
{
    AUTO_STORE struct store *store = NULL;
    struct store_pruned ignored = {0};
    int rc;

    *import = (struct import){.store_path = store_path, .directory = -1};
    rc = store_open(store_path, STORE_WRITE, &store, err);
    if (rc == 0)
        rc = store_sweep_imports(store, &ignored, err);
    if (rc == 0)
        rc = make_directory(store, import, err);
    return rc;
}

void import_discard(struct import *import)
{
    for (size_t i = 0; i < import->staged.count; i++)
        unlinkat(import->directory, import->staged.items[i], 0);
    string_list_release(&import->staged);
}

void import_end(struct import *import)
{
    if (import->directory >= 0) {
        AUTO_FREE char *path = NULL;

        import_discard(import);
        if (asprintf(&path, "%s/tmp/%s", import->store_path, import->name) >= 0)
            rmdir(path);
        else
            path = NULL;
    }
    cleanup_close(&import->directory);
    import->directory = -1;
    free(import->images);
    import->images = NULL;
}

static int is_staged(const struct import *import, const char *name)
{
    for (size_t i = 0; i < import->staged.count; i++) {
        if (strcmp(import->staged.items[i], name) == 0)
            return 1;
    }
    return 0;
}

int import_create_file(struct import *import, const char *name, struct error *err)
{
    int fd =
        openat(import->directory, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return error_set_errno(err, errno, "cannot write to the image store");
    if (!is_staged(import, name) && string_list_add(&import->staged, name) < 0) {
        close(fd);
        unlinkat(import->directory, name, 0);
        return error_set_errno(err, ENOMEM, "import");
    }
    return fd;
}

int import_stage_file(struct import *import, const char *name, const void *data, size_t size,
                      struct error *err)
{
    AUTO_CLOSE int fd = import_create_file(import, name, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = io_write_all(fd, data, size);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    return rc < 0 ? error_set_errno(err, -rc, "cannot write to the image store") : 0;
}

int import_stage_text(struct import *import, const char *text, size_t size,
                      char digest[DIGEST_SIZE], struct error *err)
{
    digest_of(text, size, digest);
    return import_stage_file(import, digest + DIGEST_PREFIX_LENGTH, text, size, err);
}

static int check_layer(const struct image_layer *layer, uint64_t size, const char *digest,
                       struct error *err)
{
    if (size != layer->size)
        return error_set(err, EBADMSG, "layer %.19s is damaged: it has %llu bytes instead of %llu",
                         layer->digest, (unsigned long long)size, (unsigned long long)layer->size);
    if (strcmp(digest, layer->digest) != 0)
        return error_set(err, EBADMSG, "layer %.19s is damaged: its digest is %s", layer->digest,
                         digest);
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
    static const char part[] = "part";
    char digest[DIGEST_SIZE];
    AUTO_CLOSE int fd = -1;
    uint64_t size;
    int rc;

    if (layer->digest[0] && is_staged(import, layer->digest + DIGEST_PREFIX_LENGTH))
        return 0;
    fd = import_create_file(import, part, err);
    if (fd < 0)
        return fd;
    rc = source_copy(source, member, fd, &size, digest, err);
    if (rc == 0 && layer->digest[0])
        rc = check_layer(layer, size, digest, err);
    if (rc < 0)
        return rc;
    if (!layer->digest[0]) {
        memcpy(layer->digest, digest, DIGEST_SIZE);
        layer->size = size;
        layer->compression = sniff(fd);
    }
    if (fsync(fd) < 0 ||
        renameat(import->directory, part, import->directory, digest + DIGEST_PREFIX_LENGTH) < 0)
        return error_set_errno(err, errno, "cannot write to the image store");
    if (!is_staged(import, digest + DIGEST_PREFIX_LENGTH) &&
        string_list_add(&import->staged, digest + DIGEST_PREFIX_LENGTH) < 0)
        return error_set_errno(err, ENOMEM, "import");
    return 0;
}

int import_open_blob(const struct import *import, const char *digest, struct error *err)
{
    int fd =
        openat(import->directory, digest + DIGEST_PREFIX_LENGTH, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? error_set_errno(err, errno, "layer %.19s", digest) : fd;
}

int import_add_image(struct import *import, const struct imported_image *image, struct error *err)
{
    struct imported_image *images =
        reallocarray(import->images, import->image_count + 1, sizeof(*images));

    if (!images)
        return error_set_errno(err, ENOMEM, "import");
    import->images = images;
    import->images[import->image_count++] = *image;
    return 0;
}
