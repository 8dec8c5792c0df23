/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: open the input of an import and read its members; see source.h. */
#include "vmm/image/import/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/import/archive_error.h"
#include "vmm/image/import/source_private.h"
#include "vmm/image/import/spool.h"
#include "vmm/image/store.h"

#define COPY_SIZE 65536

int sink_write(struct sink *sink, const void *data, size_t size, struct error *err)
{
    int rc = io_write_all(sink->fd, data, size);

    if (rc < 0)
        return error_set_errno(err, -rc, "cannot write to the image store");
    sha256_update(&sink->hash, size, data);
    sink->size += size;
    return 0;
}

static int copy_file(int input, struct sink *sink, struct error *err)
{
    AUTO_FREE char *buffer = malloc(COPY_SIZE);
    ssize_t count;
    int rc = 0;

    if (!buffer)
        return error_set_errno(err, ENOMEM, "import");
    while ((count = io_read_full(input, buffer, COPY_SIZE)) > 0 && rc == 0)
        rc = sink_write(sink, buffer, (size_t)count, err);
    return count < 0 ? error_set_errno(err, (int)-count, "cannot read") : rc;
}

/* Replaces the archive by a copy in the spool, `unpacked` or as it is. */
static int move_to_spool(struct source *source, int scratch, bool unpacked, struct error *err)
{
    struct spool spool;
    struct sink sink = {0};
    int rc = spool_create(scratch, &spool, err);

    if (rc < 0)
        return rc;
    sha256_init(&sink.hash);
    sink.fd = spool.fd;
    rc = unpacked ? source_unpack(source->archive, &sink, err)
                  : copy_file(source->archive, &sink, err);
    if (rc < 0) {
        spool_close(&spool);
        return rc;
    }
    close(source->archive);
    source->archive = spool.fd;
    return 0;
}

static int open_directory(struct source *source, struct error *err)
{
    bool layout = faccessat(source->directory, "oci-layout", F_OK, 0) == 0;
    bool index = faccessat(source->directory, "index.json", F_OK, 0) == 0;

    if (layout && !index)
        return error_set(err, ENOENT, "an OCI layout without index.json");
    source->kind = layout ? SOURCE_OCI : SOURCE_ROOT;
    return 0;
}

static int open_archive_file(struct source *source, int scratch, struct error *err)
{
    struct stat status;
    int rc = 0;

    if (fstat(source->archive, &status) < 0)
        return error_set_errno(err, errno, "cannot read");
    if (!S_ISREG(status.st_mode))
        rc = move_to_spool(source, scratch, false, err);
    if (rc == 0)
        rc = source_scan(source, err);
    if (rc == 0 && source->compressed && source->kind != SOURCE_ROOT)
        rc = move_to_spool(source, scratch, true, err);
    return rc;
}

int source_open(const char *path, int scratch, struct source **source, struct error *err)
{
    struct source *opened = calloc(1, sizeof(*opened));
    struct stat status;
    int fd;
    int rc;

    if (!opened)
        return error_set_errno(err, ENOMEM, "import");
    opened->directory = -1;
    opened->archive = -1;
    fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        rc = error_set_errno(err, errno, "cannot open");
        cleanup_close(&fd);
    } else if (S_ISDIR(status.st_mode)) {
        opened->directory = fd;
        rc = open_directory(opened, err);
    } else {
        opened->archive = fd;
        rc = open_archive_file(opened, scratch, err);
    }
    if (rc < 0) {
        source_close(opened);
        return rc;
    }
    *source = opened;
    return 0;
}

void source_close(struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        free(source->members[i].name);
        free(source->members[i].link);
    }
    free(source->members);
    cleanup_close(&source->directory);
    cleanup_close(&source->archive);
    free(source);
}

enum source_kind source_kind(const struct source *source)
{
    return source->kind;
}

static int read_whole(struct archive *archive, const char *name, char **data, size_t *size,
                      struct error *err)
{
    AUTO_FREE char *text = NULL;
    size_t used = 0;

    for (;;) {
        char *more = realloc(text, used + COPY_SIZE + 1);
        la_ssize_t count;

        if (!more)
            return error_set_errno(err, ENOMEM, "%s", name);
        text = more;
        count = archive_read_data(archive, text + used, COPY_SIZE);
        if (count < 0)
            return archive_error_take(archive, err);
        used += (size_t)count;
        if (used > STORE_JSON_MAX)
            return error_set(err, EFBIG, "%s: is larger than %u bytes", name, STORE_JSON_MAX);
        if (count == 0)
            break;
    }
    text[used] = '\0';
    *size = used;
    *data = steal_pointer(text);
    return 0;
}

int source_read(struct source *source, const char *name, char **data, size_t *size,
                struct error *err)
{
    struct archive *archive = NULL;
    int rc;

    if (source->directory >= 0)
        return io_read_file(source->directory, name, STORE_JSON_MAX, data, size, err);
    rc = source_open_member(source, name, &archive, err);
    if (rc < 0)
        return rc;
    rc = read_whole(archive, name, data, size, err);
    archive_read_free(archive);
    return rc;
}

static int copy_member(struct source *source, const char *name, struct sink *sink,
                       struct error *err)
{
    AUTO_FREE char *buffer = malloc(COPY_SIZE);
    struct archive *archive = NULL;
    la_ssize_t count = 1;
    int rc = buffer ? source_open_member(source, name, &archive, err)
                    : error_set_errno(err, ENOMEM, "import");

    if (rc < 0)
        return rc;
    while (rc == 0 && (count = archive_read_data(archive, buffer, COPY_SIZE)) > 0)
        rc = sink_write(sink, buffer, (size_t)count, err);
    if (count < 0)
        rc = archive_error_take(archive, err);
    archive_read_free(archive);
    return rc;
}

static int copy_from_directory(struct source *source, const char *name, struct sink *sink,
                               struct error *err)
{
    AUTO_CLOSE int fd = openat(source->directory, name, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? error_set_errno(err, errno, "%s", name) : copy_file(fd, sink, err);
}

static int copy_root(struct source *source, struct sink *sink, struct error *err)
{
    static const char xz[] = {'\xfd', '7', 'z', 'X', 'Z', '\0'};
    char magic[sizeof(xz)];

    if (source->directory >= 0)
        return source_pack_directory(source->directory, sink, err);
    if (io_pread_full(source->archive, magic, sizeof(magic), 0) == sizeof(magic) &&
        memcmp(magic, xz, sizeof(xz)) == 0)
        return source_unpack(source->archive, sink, err);
    if (lseek(source->archive, 0, SEEK_SET) < 0)
        return error_set_errno(err, errno, "cannot seek");
    return copy_file(source->archive, sink, err);
}

int source_copy(struct source *source, const char *name, int output, uint64_t *size,
                char digest[DIGEST_SIZE], struct error *err)
{
    struct sink sink = {.fd = output};
    int rc;

    sha256_init(&sink.hash);
    if (!name)
        rc = copy_root(source, &sink, err);
    else if (source->directory >= 0)
        rc = copy_from_directory(source, name, &sink, err);
    else
        rc = copy_member(source, name, &sink, err);
    if (rc < 0)
        return rc;
    *size = sink.size;
    digest_finish(&sink.hash, digest);
    return 0;
}
