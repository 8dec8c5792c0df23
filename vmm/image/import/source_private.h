/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the source. */
#ifndef MICROVM_IMAGE_IMPORT_SOURCE_PRIVATE_H
#define MICROVM_IMAGE_IMPORT_SOURCE_PRIVATE_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

#include "vmm/image/import/budget.h"
#include "vmm/image/import/sink.h"
#include "vmm/image/import/source.h"

/* A file of an archive. */
struct member {
    char *name;
    char *link;        /* name of the member it links to, null for a regular file */
    uint64_t position; /* among the entries of the archive */
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

/* Marks that distinguish an image from a root file system: see source_kind.c. */
struct source_marks {
    bool has_layout;         /* oci-layout */
    bool has_index;          /* index.json */
    bool has_manifest;       /* manifest.json */
    bool is_index;           /* index.json has the keys of an index */
    bool is_docker_manifest; /* manifest.json has the keys of docker's */
    bool is_image_manifest;  /* or those of an image's manifest, as in skopeo's dir: */
    bool has_blobs;          /* blobs/sha256, or docker's names of layers and configs */
    bool has_folders;        /* folders that an image does not have */
    bool is_overfull;        /* more members than can be listed */
    bool has_several_tops;   /* not everything is in one folder */
    bool has_nested;         /* that folder contains a mark */
    char top[256];           /* the first name on the highest level */
};

/* Bytes of a document that suffice to recognise it. */
#define SOURCE_MARK_SIZE 65536

/* Is `name` index.json or manifest.json? */
bool source_is_document(const char *name);

/* Notes a member ("a/b"), and the beginning of a document. */
void source_note(struct source_marks *marks, const char *name, bool is_directory);
void source_note_document(struct source_marks *marks, const char *name, const char *text,
                          size_t size);

/* Determines the kind of the input. Errors: EBADMSG (an incomplete image), ENOTSUP (an unknown kind
 * of image). */
int source_classify(const struct source_marks *marks, enum source_kind *kind, struct error *err);

/* The same for the directory at source->directory. Errors: also of open(2) and read(2). */
int source_classify_directory(struct source *source, struct error *err);

/* source_archive.c: fills kind, compressed and members from the archive at source->archive. */
int source_scan(struct source *source, struct error *err);

/* Positions a new reader at the contents of `name`, links followed. The caller frees *archive. */
int source_open_member(struct source *source, const char *name, struct archive **archive,
                       struct error *err);

/* Can these be the first bytes of an archive that source_scan() supports? */
bool source_is_plausible(const unsigned char *head, size_t size);

/* Copies the whole archive at `fd` to the sink, uncompressed. */
int source_unpack(int fd, struct sink *sink, struct error *err);

/* source_pack.c: writes the directory as a tar archive: sorted, numeric owners, links and
 * attributes kept. */
int source_pack_directory(int directory, struct sink *sink, struct error *err);

#endif
