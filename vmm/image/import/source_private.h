/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: what the files of the source share. */
#ifndef MICROVM_IMAGE_IMPORT_SOURCE_PRIVATE_H
#define MICROVM_IMAGE_IMPORT_SOURCE_PRIVATE_H

#include <archive.h>
#include <archive_entry.h>
#include <nettle/sha2.h>
#include <stdbool.h>

#include "vmm/image/import/budget.h"
#include "vmm/image/import/source.h"

/* A file of an archive. */
struct member {
    char *name;
    char *link; /* name of the member it links to, null for a regular file */
};

struct source {
    struct import *import; /* borrowed */
    enum source_kind kind;
    int directory;             /* borrowed; -1: an archive */
    int archive;               /* the input, or its copy in the spool; -1: a directory */
    int spool;                 /* owned; -1: none */
    struct source_copy packed; /* of a directory that is a root; fd -1: none */
    bool compressed;
    struct member *members;
    size_t count;
};

/* An output that hashes what passes, and leaves holes where it is zero. */
struct sink {
    int fd;
    uint64_t size;
    struct sha256_ctx hash;
    struct budget *budget; /* borrowed */
};

void sink_open(struct sink *sink, int fd, struct budget *budget);
int sink_write(struct sink *sink, const void *data, size_t size, struct error *err);

/* Makes the file as long as what was written. */
int sink_finish(struct sink *sink, struct error *err);

/* archive.c: fills kind, compressed and members from the archive at source->archive. */
int source_scan(struct source *source, struct error *err);

/* Positions a new reader at the contents of `name`, links followed. The caller frees *archive. */
int source_open_member(struct source *source, const char *name, struct archive **archive,
                       struct error *err);

/* Could these first bytes of an archive begin one that source_scan() knows? */
bool source_is_plausible(const unsigned char *head, size_t size);

/* Copies the whole archive at `fd` to the sink, all compression taken off. */
int source_unpack(int fd, struct sink *sink, struct error *err);

/* pack.c: writes the directory as a tar archive: sorted, numeric owners, links and attributes kept.
 */
int source_pack_directory(int directory, struct sink *sink, struct error *err);

#endif
