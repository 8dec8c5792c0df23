/* SPDX-License-Identifier: Apache-2.0 */
/* The resources that an import has used, and their limits. A null budget is unlimited. */
#ifndef MICROVM_IMAGE_IMPORT_BUDGET_H
#define MICROVM_IMAGE_IMPORT_BUDGET_H

#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/image/load_limits.h"

struct budget {
    struct load_limits limits;
    uint64_t written;  /* bytes of disk, holes not counted */
    uint64_t packed;   /* bytes that decompressors read */
    uint64_t unpacked; /* bytes that they produced */
    uint64_t entries;
    uint64_t images;
};

/* Each uses more, or fails with a message that names the option. Errors: E2BIG, EDQUOT. */
int budget_write(struct budget *budget, uint64_t bytes, struct error *err);
int budget_unpack(struct budget *budget, uint64_t packed, uint64_t unpacked, struct error *err);
int budget_entry(struct budget *budget, struct error *err);
int budget_image(struct budget *budget, struct error *err);

#endif
