/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bring an archive or directory into the store by way of microvm-import, a process of its
 * own: the parsers of hostile archives never run in the process that starts virtual machines, and
 * never touch the store.
 */
#ifndef MICROVM_IMAGE_LOAD_H
#define MICROVM_IMAGE_LOAD_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/load_limits.h"

/* What an input was. */
enum load_kind { LOAD_KIND_OCI, LOAD_KIND_DOCKER, LOAD_KIND_ROOT, LOAD_KINDS };

struct load_options {
    const char *store; /* directory of the store */
    const char *path;  /* file, directory, or "-" for standard input */
    const char
        *name; /* "name:tag" to give; null: the names in the archive, else one made from the path */
    const char
        *program; /* microvm-import; null: $MICROVM_IMPORT, beside this executable, LIBEXECDIR */
    bool unnamed; /* give no name at all, and require exactly one image (for `run PATH`) */
    struct load_limits limits; /* LOAD_LIMITS_DEFAULT */
    enum load_kind *kind;      /* gets what the input was; null: nobody asks */
};

/*
 * Runs the import to its end. Adds "sha256:…" (the image ID) of each loaded image to `ids` and its
 * name ("" for none) to `names` (may be null). Nothing has changed in the store on failure.
 * Errors: what went wrong in the import, with its message; ECHILD when it died; ETIME, EDQUOT and
 * E2BIG for what passes a limit; EINTR after SIGINT, SIGTERM or SIGHUP, which then take their
 * course.
 */
int image_load(const struct load_options *options, struct string_list *ids,
               struct string_list *names, struct error *err);

#endif
