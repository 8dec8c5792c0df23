/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of one import; each is an option of `image load`. */
#ifndef MICROVM_IMAGE_LOAD_LIMITS_H
#define MICROVM_IMAGE_LOAD_LIMITS_H

#include <stdint.h>

struct load_limits {
    uint64_t space;   /* --max-space: bytes of disk */
    uint64_t ratio;   /* --max-ratio: bytes unpacked for each byte read, see below */
    uint64_t entries; /* --max-entries: in all archives */
    uint64_t images;  /* --max-images */
    uint64_t seconds; /* --max-time */
};

/* Real images stay far below these. */
#define LOAD_LIMITS_DEFAULT                                                                        \
    {                                                                                              \
        .space = 64ULL << 30, .ratio = 200, .entries = 2000000, .images = 100, .seconds = 1800,    \
    }

/* Bytes that may be unpacked at any ratio: a small archive with one file of zeros is allowed. */
#define LOAD_RATIO_FREE (256ULL << 20)

#endif
