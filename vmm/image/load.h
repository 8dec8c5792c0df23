/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load an archive or directory into the store through microvm-import, a separate process: the
 * parsers of untrusted archives never run in the process that starts VMs, and never access the
 * store.
 */
#ifndef MICROVM_IMAGE_LOAD_H
#define MICROVM_IMAGE_LOAD_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/load_limits.h"

/* The format of an input. */
enum load_kind { LOAD_KIND_OCI, LOAD_KIND_DOCKER, LOAD_KIND_ROOT, LOAD_KINDS };

struct load_options {
    const char *store; /* directory of the store */
    const char *path;  /* file, directory, or "-" for standard input */
    const char *name;  /* "name:tag"; null: the names in the archive, else one made from the path */
    const char
        *program; /* microvm-import; null: $MICROVM_IMPORT, beside this executable, LIBEXECDIR */
    bool unnamed; /* set no name, and require exactly one image (for `run PATH`) */
    struct load_limits limits; /* LOAD_LIMITS_DEFAULT */
    enum load_kind *kind;      /* gets the format of the input; may be null */
};

/*
 * Runs the import to its end. Adds "sha256:…" (the image ID) of each loaded image to `ids` and its
 * name ("" for none) to `names` (may be null). On failure the store is unchanged. Errors: those of
 * the import, with its message; ECHILD if it died; ETIME, EDQUOT and E2BIG for an exceeded limit;
 * EINTR after SIGINT, SIGTERM or SIGHUP, which are then delivered.
 */
int image_load(const struct load_options *options, struct string_list *ids,
               struct string_list *names, struct error *err);

#endif
