/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by store.c (reading) and store_change.c (changing). */
#ifndef MICROVM_IMAGE_STORE_PRIVATE_H
#define MICROVM_IMAGE_STORE_PRIVATE_H

#include <jansson.h>

#include "vmm/image/store.h"

#define STORE_ANNOTATION "org.opencontainers.image.ref.name"

struct store {
    char *path;
    int directory; /* -1: the store does not exist; a reader treats it as empty */
    int lock;
    enum store_access access;
    json_t *index;               /* index.json; unknown fields are kept */
    struct store_entry *entries; /* what `index` says */
    size_t count;
};

/* Fills `entries` from `index`. Errors: EBADMSG, ENOMEM. */
int store_derive(struct store *store, struct error *err);

#endif
