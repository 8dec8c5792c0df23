/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: what the files of the transaction share. */
#ifndef MICROVM_IMAGE_IMPORT_IMPORT_PRIVATE_H
#define MICROVM_IMAGE_IMPORT_IMPORT_PRIVATE_H

#include "vmm/image/import/import.h"

/* Makes an empty staged file and returns its descriptor. */
int import_create_file(struct import *import, const char *name, struct error *err);

/* Stages `size` bytes as the file `name`, durably. */
int import_stage_file(struct import *import, const char *name, const void *data, size_t size,
                      struct error *err);

#endif
