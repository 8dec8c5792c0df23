/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platforms of images (OCI image specification, image-index.md; the names are those of Go), and
 * which of them this host runs.
 */
#ifndef MICROVM_IMAGE_PLATFORM_H
#define MICROVM_IMAGE_PLATFORM_H

#include <stddef.h>

/* Each is null where the document does not say; the strings are the owner's. */
struct platform {
    char *os;
    char *architecture;
    char *variant;
};

void platform_release(struct platform *platform);

/* The architecture of this host: "amd64" or "arm64". */
const char *platform_host_architecture(void);

/* The level of x86-64 (1 to 4, as in the psABI) that this processor has; elsewhere 0. */
unsigned platform_host_level(void);

/*
 * How well a host of this architecture and level runs the platform: negative when it does not,
 * else the more the better. Of amd64 the variants v1 to v4 are the levels, as docker and containerd
 * name them; of arm64 only v8 is known. What a platform leaves open fits.
 */
#define PLATFORM_RANK_MAX 4
int platform_rank(const struct platform *platform, const char *architecture, unsigned level);

/* "linux/amd64/v3", as far as the platform says. */
#define PLATFORM_TEXT_SIZE 96
const char *platform_format(const struct platform *platform, char text[PLATFORM_TEXT_SIZE]);

#endif
