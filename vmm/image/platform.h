/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platforms of images (OCI image specification, image-index.md; the names are those of Go), and
 * which of them this host can run.
 */
#ifndef MICROVM_IMAGE_PLATFORM_H
#define MICROVM_IMAGE_PLATFORM_H

#include <stddef.h>

/* Each is null if the document does not say; the struct owns the strings. */
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
 * How well the platform fits a host of this architecture and level: negative if it cannot run
 * there, else higher is better. The variants v1 to v4 of amd64 are the levels, named as in docker
 * and containerd; for arm64 only v8 is known. A missing field fits.
 */
#define PLATFORM_RANK_MAX 4
int platform_rank(const struct platform *platform, const char *architecture, unsigned level);

/* "linux/amd64/v3", or the fields that the platform has. */
#define PLATFORM_TEXT_SIZE 96
const char *platform_format(const struct platform *platform, char text[PLATFORM_TEXT_SIZE]);

#endif
