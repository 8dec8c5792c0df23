/* SPDX-License-Identifier: Apache-2.0 */
/* Run one import from start to end: the work of the program microvm-import. */
#ifndef MICROVM_IMAGE_IMPORT_IMPORT_RUN_H
#define MICROVM_IMAGE_IMPORT_IMPORT_RUN_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/image/load_limits.h"

struct import_request {
    int channel;      /* to microvm; borrowed */
    int source;       /* file, pipe or directory; borrowed */
    const char *name; /* "name:tag" or null */
    const char *base; /* name for an input that has none; null: none */
    bool unnamed;     /* see load.h */
    struct load_limits limits;
    bool confined; /* drop all other rights for good, see confine.h */
};

/* Loads, and sends all results to microvm, including the end. Errors: only of the channel. */
int import_run(const struct import_request *request, struct error *err);

#endif
