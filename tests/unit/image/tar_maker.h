/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives in memory for tests, well-formed and malformed ones. Every failure ends the test. */
#ifndef MICROVM_TESTS_UNIT_IMAGE_TAR_MAKER_H
#define MICROVM_TESTS_UNIT_IMAGE_TAR_MAKER_H

#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>
#include <sys/types.h>

struct tar_maker {
    struct archive *archive;
    int fd; /* the archive in memory */
};

enum tar_compression { TAR_PLAIN, TAR_GZIP, TAR_ZSTD, TAR_XZ, TAR_BZIP2 };

void tar_begin(struct tar_maker *maker, enum tar_compression compression);

/* Adds an entry of this type (AE_IFDIR, ...) and returns it for more fields; tar_put() writes
 * it. */
struct archive_entry *tar_entry(const char *path, mode_t type, mode_t permissions);
void tar_put(struct tar_maker *maker, struct archive_entry *entry, const void *data, size_t size);

void tar_directory(struct tar_maker *maker, const char *path);
void tar_file(struct tar_maker *maker, const char *path, const char *content);
void tar_symlink(struct tar_maker *maker, const char *path, const char *target);
void tar_hardlink(struct tar_maker *maker, const char *path, const char *target);

/* Ends the archive; returns its descriptor, at its beginning, which the caller closes. */
int tar_end(struct tar_maker *maker);

/* Raw bytes, in a file in memory, compressed; the caller closes it. */
int tar_compress(const void *data, size_t size, enum tar_compression compression);

/*
 * One entry of a pax archive, written to `fd` in the way of other programs: the path, and with
 * `type` '1' the hard link's target, in records that do not name their character set. tar_raw_end()
 * ends the archive.
 */
void tar_raw_pax(int fd, char type, const char *path, const char *target);
void tar_raw_end(int fd);

#endif
