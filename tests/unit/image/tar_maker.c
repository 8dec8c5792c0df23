/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives in memory for tests. */
#include "tests/unit/image/tar_maker.h"

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

static void add_filter(struct archive *archive, enum tar_compression compression)
{
    static const int filters[] = {
        [TAR_PLAIN] = ARCHIVE_FILTER_NONE,  [TAR_GZIP] = ARCHIVE_FILTER_GZIP,
        [TAR_ZSTD] = ARCHIVE_FILTER_ZSTD,   [TAR_XZ] = ARCHIVE_FILTER_XZ,
        [TAR_BZIP2] = ARCHIVE_FILTER_BZIP2,
    };

    require(archive_write_add_filter(archive, filters[compression]) == ARCHIVE_OK, "filter");
}

void tar_begin(struct tar_maker *maker, enum tar_compression compression)
{
    maker->fd = memfd_create("tar", MFD_CLOEXEC);
    maker->archive = archive_write_new();
    require(maker->fd >= 0 && maker->archive, "creation");
    require(archive_write_set_format_pax(maker->archive) == ARCHIVE_OK, "format");
    add_filter(maker->archive, compression);
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

int tar_compress(const void *data, size_t size, enum tar_compression compression)
{
    int fd = memfd_create("bytes", MFD_CLOEXEC);
    struct archive *archive = archive_write_new();

    require(fd >= 0 && archive, "creation");
    require(archive_write_set_format_raw(archive) == ARCHIVE_OK, "format");
    archive_write_set_bytes_in_last_block(archive, 1);
    add_filter(archive, compression);
    require(archive_write_open_fd(archive, fd) == ARCHIVE_OK, "open");
    tar_put(&(struct tar_maker){.archive = archive}, tar_entry("bytes", AE_IFREG, 0644), data,
            size);
    require(archive_write_close(archive) == ARCHIVE_OK, "close");
    archive_write_free(archive);
    require(lseek(fd, 0, SEEK_SET) == 0, "seek");
    return fd;
}

static void write_block(int fd, const char block[512])
{
    require(write(fd, block, 512) == 512, "write");
}

/* POSIX.1-2017, pax, "ustar Interchange Format". */
static void write_header(int fd, char type, size_t size)
{
    char block[512] = "short";
    unsigned sum = 0;

    snprintf(block + 100, 8, "%07o", 0644);
    snprintf(block + 108, 8, "%07o", 0);
    snprintf(block + 116, 8, "%07o", 0);
    snprintf(block + 124, 12, "%011zo", size);
    snprintf(block + 136, 12, "%011o", 0);
    memset(block + 148, ' ', 8);
    block[156] = type;
    if (type == '1' || type == '2')
        strcpy(block + 157, "short"); /* like programs that drop or truncate what does not fit */
    memcpy(block + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    write_block(fd, block);
}

static size_t add_record(char *records, size_t used, const char *key, const char *value)
{
    size_t length = strlen(key) + strlen(value) + 3; /* ' ', '=' and newline */
    size_t digits = length + 2 < 100 ? 2 : 3;

    return used + (size_t)sprintf(records + used, "%zu %s=%s\n", length + digits, key, value);
}

void tar_raw_pax(int fd, char type, const char *path, const char *target)
{
    char records[1024] = "";
    size_t size = add_record(records, 0, "path", path);

    require(strlen(path) + (target ? strlen(target) : 0) < 900, "path");
    if (target)
        size = add_record(records, size, "linkpath", target);
    write_header(fd, 'x', size);
    for (size_t at = 0; at < size; at += 512)
        write_block(fd, records + at);
    write_header(fd, type, 0);
}

void tar_raw_end(int fd)
{
    static const char zeros[512];

    write_block(fd, zeros);
    write_block(fd, zeros);
    require(lseek(fd, 0, SEEK_SET) == 0, "seek");
}
