/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: what the files of the source share. */
#ifndef MICROVM_IMAGE_IMPORT_SOURCE_PRIVATE_H
#define MICROVM_IMAGE_IMPORT_SOURCE_PRIVATE_H

#include <archive.h>
#include <archive_entry.h>
#include <nettle/sha2.h>
#include <stdbool.h>

#include "vmm/image/import/source.h"

/* A file of an archive. */
struct member {
    char *name;
    char *link; /* name of the member it links to, null for a regular file */
};

struct source {
    enum source_kind kind;
    int directory; /* -1: an archive */
    int archive;   /* -1: a directory */
    bool compressed;
    struct member *members;
    size_t count;
};

/* An output that hashes what passes. */
struct sink {
    int fd;
    uint64_t size;
    struct sha256_ctx hash;
};

int sink_write(struct sink *sink, const void *data, size_t size, struct error *err);

/* archive.c: fills kind, compressed and members from the archive at source->archive. */
int source_scan(struct source *source, struct error *err);

/* Positions a new reader at the contents of `name`, links followed. The caller frees *archive. */
int source_open_member(struct source *source, const char *name, struct archive **archive,
                       struct error *err);

/* Copies the whole archive at `fd` to the sink, all compression taken off. */
int source_unpack(int fd, struct sink *sink, struct error *err);

/* pack.c: writes the directory as a tar archive: sorted, numeric owners, links and attributes kept.
 */
int source_pack_directory(int directory, struct sink *sink, struct error *err);

#endif
