/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: one import from its beginning to its end: what the program microvm-import does. */
#ifndef MICROVM_IMAGE_IMPORT_RUN_H
#define MICROVM_IMAGE_IMPORT_RUN_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"

struct import_request {
    const char *store; /* directory */
    const char *path;  /* file, directory or "-" */
    const char *name;  /* "name:tag" or null */
    bool unnamed;      /* see load.h */
    bool confined;     /* give up all other rights on the way, for good: see confine.h */
};

/* Loads; adds the ID and the name ("" for none) of each image. On failure the store is as it was.
 */
int import_run(const struct import_request *request, struct string_list *ids,
               struct string_list *names, struct error *err);

#endif
