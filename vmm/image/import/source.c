/* SPDX-License-Identifier: Apache-2.0 */
/* Open the input of an import and read its members; see source.h. */
#include "vmm/image/import/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/image/import/archive_error.h"
#include "vmm/image/import/import.h"
#include "vmm/image/import/source_private.h"
#include "vmm/image/store.h"

#define COPY_SIZE 65536

static int copy_file(int input, struct sink *sink, struct error *err)
{
    AUTO_FREE char *buffer = malloc(COPY_SIZE);
    ssize_t count;

    if (!buffer)
        return error_set_errno(err, ENOMEM, "import");
    while ((count = io_read_full(input, buffer, COPY_SIZE)) > 0) {
        int rc = sink_write(sink, buffer, (size_t)count, err);

        if (rc < 0)
            return rc;
    }
    return count < 0 ? error_set_errno(err, (int)-count, "cannot read") : 0;
}

static int refuse_implausible(const unsigned char *head, size_t size, struct error *err)
{
    if (size == 0)
        return error_set(err, EBADMSG, "is empty");
    if (bytes_are_zero(head, size))
        return error_set(err, EBADMSG, "is empty: it begins with zeros, unlike any archive");
    if (!source_is_plausible(head, size))
        return error_set(err, EBADMSG,
                         "neither an image nor a root file system: it does not begin like an "
                         "archive");
    return 0;
}

/* Copies a pipe; if it is not an archive, this fails before the disk is full. */
static int copy_pipe(int input, struct sink *sink, struct error *err)
{
    unsigned char head[512];
    ssize_t count = io_read_full(input, head, sizeof(head));
    int rc = count < 0 ? error_set_errno(err, (int)-count, "cannot read")
                       : refuse_implausible(head, (size_t)count, err);

    if (rc < 0)
        return rc;
    rc = sink_write(sink, head, (size_t)count, err);
    if (rc < 0)
        return rc;
    return copy_file(input, sink, err);
}

/* Replaces the archive by a copy in the spool, `unpacked` or unchanged. */
static int move_to_spool(struct source *source, bool unpacked, struct error *err)
{
    uint32_t number;
    AUTO_CLOSE int fd = import_new_file(source->import, &number, err);
    struct sink sink;
    int rc;

    if (fd < 0)
        return fd;
    sink_open(&sink, fd, &source->import->budget);
    rc = unpacked ? source_unpack(source->archive, &sink, err)
                  : copy_pipe(source->archive, &sink, err);
    if (rc < 0)
        return rc;
    rc = sink_finish(&sink, err);
    if (rc < 0)
        return rc;
    cleanup_close(&source->spool);
    source->spool = steal_fd(&fd);
    source->archive = source->spool;
    return 0;
}

static int open_directory(struct source *source, struct error *err)
{
    int rc = source_classify_directory(source, err);

    if (rc < 0)
        return rc;
    return source->kind == SOURCE_ROOT ? source_copy(source, NULL, &source->packed, err) : 0;
}

static int check_head(int fd, struct error *err)
{
    unsigned char head[512];
    ssize_t count = io_pread_full(fd, head, sizeof(head), 0);

    return count < 0 ? error_set_errno(err, (int)-count, "cannot read")
                     : refuse_implausible(head, (size_t)count, err);
}

static int open_archive_file(struct source *source, bool is_pipe, struct error *err)
{
    int rc = is_pipe ? move_to_spool(source, false, err) : check_head(source->archive, err);

    if (rc < 0)
        return rc;
    rc = source_scan(source, err);
    if (rc < 0)
        return rc;
    if (source->compressed && source->kind != SOURCE_ROOT)
        return move_to_spool(source, true, err);
    return 0;
}

int source_open(struct import *import, int fd, struct source **source, struct error *err)
{
    struct source *opened = calloc(1, sizeof(*opened));
    struct stat status;
    int rc;

    if (!opened)
        return error_set_errno(err, ENOMEM, "import");
    opened->import = import;
    opened->directory = -1;
    opened->archive = -1;
    opened->spool = -1;
    opened->packed.fd = -1;
    if (fstat(fd, &status) < 0) {
        rc = error_set_errno(err, errno, "cannot open");
    } else if (S_ISDIR(status.st_mode)) {
        opened->directory = fd;
        rc = open_directory(opened, err);
    } else {
        opened->archive = fd;
        rc = open_archive_file(opened, !S_ISREG(status.st_mode), err);
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
    cleanup_close(&source->spool);
    cleanup_close(&source->packed.fd);
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

static int read_member_file(const struct source *source, const char *name, char **data,
                            size_t *size, struct error *err)
{
    AUTO_CLOSE int fd = import_open_member(source->import, name, err);
    AUTO_FREE char *text = NULL;
    struct stat status;
    ssize_t count;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "%s", name);
    if (status.st_size > STORE_JSON_MAX)
        return error_set(err, EFBIG, "%s: is larger than %u bytes", name, STORE_JSON_MAX);
    text = malloc((size_t)status.st_size + 1);
    if (!text)
        return error_set_errno(err, ENOMEM, "%s", name);
    count = io_read_full(fd, text, (size_t)status.st_size);
    if (count < 0)
        return error_set_errno(err, (int)-count, "%s", name);
    text[count] = '\0';
    *size = (size_t)count;
    *data = steal_pointer(text);
    return 0;
}

int source_read(struct source *source, const char *name, char **data, size_t *size,
                struct error *err)
{
    AUTO_ARCHIVE struct archive *archive = NULL;
    int rc;

    if (source->directory >= 0)
        return read_member_file(source, name, data, size, err);
    rc = source_open_member(source, name, &archive, err);
    if (rc < 0)
        return rc;
    return read_whole(archive, name, data, size, err);
}

static int copy_member(struct source *source, const char *name, struct sink *sink,
                       struct error *err)
{
    AUTO_FREE char *buffer = malloc(COPY_SIZE);
    AUTO_ARCHIVE struct archive *archive = NULL;
    la_ssize_t count;
    int rc;

    if (!buffer)
        return error_set_errno(err, ENOMEM, "import");
    rc = source_open_member(source, name, &archive, err);
    if (rc < 0)
        return rc;
    while ((count = archive_read_data(archive, buffer, COPY_SIZE)) > 0) {
        rc = sink_write(sink, buffer, (size_t)count, err);
        if (rc < 0)
            return rc;
    }
    return count < 0 ? archive_error_take(archive, err) : 0;
}

static int copy_from_directory(struct source *source, const char *name, struct sink *sink,
                               struct error *err)
{
    AUTO_CLOSE int fd = import_open_member(source->import, name, err);

    return fd < 0 ? fd : copy_file(fd, sink, err);
}

static int copy_root(struct source *source, struct sink *sink, struct error *err)
{
    static const char xz[] = {'\xfd', '7', 'z', 'X', 'Z', '\0'};
    static const char bzip2[] = {'B', 'Z', 'h'};
    char magic[sizeof(xz)];

    if (source->directory >= 0)
        return source_pack_directory(source->directory, sink, err);
    if (io_pread_full(source->archive, magic, sizeof(magic), 0) == sizeof(magic) &&
        (memcmp(magic, xz, sizeof(xz)) == 0 || memcmp(magic, bzip2, sizeof(bzip2)) == 0))
        return source_unpack(source->archive, sink, err);
    if (lseek(source->archive, 0, SEEK_SET) < 0)
        return error_set_errno(err, errno, "cannot seek");
    return copy_file(source->archive, sink, err);
}

static int fill_sink(struct source *source, const char *name, struct sink *sink, struct error *err)
{
    if (!name)
        return copy_root(source, sink, err);
    if (source->directory >= 0)
        return copy_from_directory(source, name, sink, err);
    return copy_member(source, name, sink, err);
}

int source_copy(struct source *source, const char *name, struct source_copy *copy,
                struct error *err)
{
    AUTO_CLOSE int fd = -1;
    uint32_t number;
    struct sink sink;
    int rc;

    if (!name && source->packed.fd >= 0) {
        *copy = source->packed;
        source->packed.fd = -1;
        return 0;
    }
    copy->fd = -1;
    fd = import_new_file(source->import, &number, err);
    if (fd < 0)
        return fd;
    sink_open(&sink, fd, &source->import->budget);
    rc = fill_sink(source, name, &sink, err);
    if (rc < 0)
        return rc;
    rc = sink_finish(&sink, err);
    if (rc < 0)
        return rc;
    copy->fd = steal_fd(&fd);
    copy->number = number;
    copy->size = sink.size;
    digest_finish(&sink.hash, copy->digest);
    return 0;
}
