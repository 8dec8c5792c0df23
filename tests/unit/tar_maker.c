/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: tar archives in memory for tests. */
#include "tests/unit/tar_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void require(int fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "tar maker: %s failed\n", what);
        abort();
    }
}

void tar_begin(struct tar_maker *maker, enum tar_compression compression)
{
    maker->fd = memfd_create("tar", MFD_CLOEXEC);
    maker->archive = archive_write_new();
    require(maker->fd >= 0 && maker->archive, "creation");
    require(archive_write_set_format_pax(maker->archive) == ARCHIVE_OK, "format");
    if (compression == TAR_GZIP)
        require(archive_write_add_filter_gzip(maker->archive) == ARCHIVE_OK, "gzip");
    if (compression == TAR_ZSTD)
        require(archive_write_add_filter_zstd(maker->archive) == ARCHIVE_OK, "zstd");
    require(archive_write_open_fd(maker->archive, maker->fd) == ARCHIVE_OK, "open");
}

struct archive_entry *tar_entry(const char *path, mode_t type, mode_t permissions)
{
    struct archive_entry *entry = archive_entry_new();

    require(entry != NULL, "entry");
    archive_entry_copy_pathname(entry, path);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, permissions);
    archive_entry_set_size(entry, 0);
    archive_entry_set_mtime(entry, 0, 0);
    return entry;
}

void tar_put(struct tar_maker *maker, struct archive_entry *entry, const void *data, size_t size)
{
    if (data)
        archive_entry_set_size(entry, (la_int64_t)size);
    require(archive_write_header(maker->archive, entry) >= ARCHIVE_WARN, "header");
    if (size)
        require(archive_write_data(maker->archive, data, size) == (la_ssize_t)size, "data");
    archive_entry_free(entry);
}

void tar_directory(struct tar_maker *maker, const char *path)
{
    tar_put(maker, tar_entry(path, AE_IFDIR, 0755), NULL, 0);
}

void tar_file(struct tar_maker *maker, const char *path, const char *content)
{
    tar_put(maker, tar_entry(path, AE_IFREG, 0644), content, strlen(content));
}

void tar_symlink(struct tar_maker *maker, const char *path, const char *target)
{
    struct archive_entry *entry = tar_entry(path, AE_IFLNK, 0777);

    archive_entry_copy_symlink(entry, target);
    tar_put(maker, entry, NULL, 0);
}

void tar_hardlink(struct tar_maker *maker, const char *path, const char *target)
{
    struct archive_entry *entry = tar_entry(path, AE_IFREG, 0644);

    archive_entry_copy_hardlink(entry, target);
    tar_put(maker, entry, NULL, 0);
}

int tar_end(struct tar_maker *maker)
{
    require(archive_write_close(maker->archive) == ARCHIVE_OK, "close");
    archive_write_free(maker->archive);
    require(lseek(maker->fd, 0, SEEK_SET) == 0, "seek");
    return maker->fd;
}
