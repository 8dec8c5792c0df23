/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the load share: load.c (begin, end, the program), load_serve.c (its
 * questions), load_commit.c (the store). */
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
    uint32_t call; /* what it was said to be: LOAD_BLOB, LOAD_ROOT, 0 = nothing yet */
    uint32_t part;
    char digest[DIGEST_SIZE]; /* of the blob, or of the image's config */
    bool is_wanted;           /* an image needs it */
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
    int directory; /* tmp/NAME, whose lock says that we are alive */
    int source;
    sigset_t stops;    /* signals that end the import */
    uint64_t deadline; /* of io_now_ns() */
    struct load_file *files;
    size_t count;
    struct load_image *images;
    size_t image_count;
    enum load_kind kind;
    bool has_ended; /* the import said so: failure (0: none) and its message follow */
    struct error failure;
};

/*
 * Starts whoever reads the source; it gets load->source and `channel`, which stay ours. *pid gets
 * the process, or stays -1.
 */
typedef int load_start_fn(const struct load *load, int channel, pid_t *pid, struct error *err);

/* A name for what has none: "dir/My App.tar.gz" is "my-app". Null when nothing is left. The caller
 * frees it. */
char *load_base_name(const char *path);

/* image_load() with another start: for tests, which run the import in a thread. */
int load_run(const struct load_options *options, load_start_fn *start, struct string_list *ids,
             struct string_list *names, struct error *err);

/* Answers until the import has said its end, or is gone, or passes a limit. */
int load_serve(struct load *load, int channel, struct error *err);

/* Verifies what was staged and moves what the images need into the store. */
int load_commit(struct load *load, struct error *err);

/* Is the image with this config whole in the store? Then its entry's digest and size are given. */
bool load_find_stored(const struct store *store, const char *config_digest,
                      char manifest_digest[DIGEST_SIZE], uint64_t *manifest_size);

#endif
