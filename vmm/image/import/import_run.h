/* SPDX-License-Identifier: Apache-2.0 */
/* One import from its beginning to its end: what the program microvm-import does. */
#ifndef MICROVM_IMAGE_IMPORT_IMPORT_RUN_H
#define MICROVM_IMAGE_IMPORT_IMPORT_RUN_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/image/load_limits.h"

struct import_request {
    int channel;      /* to microvm; borrowed */
    int source;       /* file, pipe or directory; borrowed */
    const char *name; /* "name:tag" or null */
    const char *base; /* name for an input that has none, null: it gets none */
    bool unnamed;     /* see load.h */
    struct load_limits limits;
    bool confined; /* drop all other rights on the way, for good: see confine.h */
};

/* Loads, and tells microvm all of it, the end too. Errors: of the channel alone. */
int import_run(const struct import_request *request, struct error *err);

#endif
