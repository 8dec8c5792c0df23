/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: tar archives in memory for tests, sound and crooked ones. Every failure ends the test.
 */
#ifndef MICROVM_TESTS_UNIT_TAR_MAKER_H
#define MICROVM_TESTS_UNIT_TAR_MAKER_H

#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>
#include <sys/types.h>

struct tar_maker {
    struct archive *archive;
    int fd; /* the archive in memory */
};

enum tar_compression { TAR_PLAIN, TAR_GZIP, TAR_ZSTD };

void tar_begin(struct tar_maker *maker, enum tar_compression compression);

/* Adds an entry of this type (AE_IFDIR, ...) and returns it for more fields; tar_put() writes it.
 */
struct archive_entry *tar_entry(const char *path, mode_t type, mode_t permissions);
void tar_put(struct tar_maker *maker, struct archive_entry *entry, const void *data, size_t size);

void tar_directory(struct tar_maker *maker, const char *path);
void tar_file(struct tar_maker *maker, const char *path, const char *content);
void tar_symlink(struct tar_maker *maker, const char *path, const char *target);
void tar_hardlink(struct tar_maker *maker, const char *path, const char *target);

/* Ends the archive; returns its descriptor, at its beginning, which the caller closes. */
int tar_end(struct tar_maker *maker);

#endif
