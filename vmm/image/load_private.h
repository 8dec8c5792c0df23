/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the load: load.c (start, end, the program), load_serve.c (its requests),
 * load_commit.c (the store). */
#ifndef MICROVM_IMAGE_LOAD_PRIVATE_H
#define MICROVM_IMAGE_LOAD_PRIVATE_H

#include <signal.h>
#include <sys/types.h>

#include "vmm/image/load.h"
#include "vmm/image/load_protocol.h"
#include "vmm/image/reference.h"
#include "vmm/image/store.h"

#define LOAD_FILES_MAX 65536

/* A file of the import, named by its number in the import's directory. */
struct load_file {
    uint32_t call; /* what the import declared: LOAD_BLOB, LOAD_ROOT, 0 = nothing yet */
    uint32_t part;
    char digest[DIGEST_SIZE]; /* of the blob, or of the image's config */
    bool is_wanted;           /* an image needs the file */
};

struct load_image {
    char name[REFERENCE_TEXT_SIZE];
    char manifest_digest[DIGEST_SIZE];
    char config_digest[DIGEST_SIZE];
    uint64_t manifest_size;
};

struct load {
    const struct load_options *options;
    char name[32]; /* of tmp/NAME */
    int directory; /* tmp/NAME, locked while the load is running */
    int source;
    sigset_t stops;    /* signals that end the import */
    uint64_t deadline; /* of io_now_ns() */
    struct load_file *files;
    size_t count;
    struct load_image *images;
    size_t image_count;
    enum load_kind kind;
    bool has_ended; /* the import has reported its end; failure (code 0: none) */
    struct error failure;
};

/*
 * Starts the reader of the source; it gets load->source and `channel`, which the caller still owns.
 * *pid gets the process, or stays -1.
 */
typedef int load_start_fn(const struct load *load, int channel, pid_t *pid, struct error *err);

/* A name derived from a path: "dir/My App.tar.gz" becomes "my-app". Null if nothing is left. The
 * caller frees it. */
char *load_base_name(const char *path);

/* image_load() with another start function: for tests, which run the import in a thread. */
int load_run(const struct load_options *options, load_start_fn *start, struct string_list *ids,
             struct string_list *names, struct error *err);

/* Serves the import until it reports its end, exits, or exceeds a limit. */
int load_serve(struct load *load, int channel, struct error *err);

/* Verifies the staged files and moves those that the images need into the store. */
int load_commit(struct load *load, struct error *err);

/* Is the image with this config complete in the store? If so, returns its entry's digest and
 * size. */
bool load_find_stored(const struct store *store, const char *config_digest,
                      char manifest_digest[DIGEST_SIZE], uint64_t *manifest_size);

#endif
