/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms of images; see platform.h. */
#include "vmm/image/platform.h"

#include <gen/architecture.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmm/arch/arch.h"

void platform_release(struct platform *platform)
{
    free(platform->os);
    free(platform->architecture);
    free(platform->variant);
    *platform = (struct platform){0};
}

const char *platform_host_architecture(void)
{
    return ARCHITECTURE_IMAGE;
}

unsigned platform_host_level(void)
{
    static unsigned level; /* CPUID costs an exit in a VM */

    if (level == 0)
        level = arch_host_level();
    return level;
}

/* Go's name of an architecture, for any of its names. */
static const char *plain_architecture(const char *name)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"},
        {"x86-64", "amd64"},
        {"aarch64", "arm64"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i][0]) == 0)
            return names[i][1];
    }
    return name;
}

/* The number of "v3" or "3"; 0 for no variant, -1 for an invalid one. */
static int variant_number(const char *variant)
{
    if (!variant)
        return 0;
    variant += variant[0] == 'v';
    return variant[0] >= '1' && variant[0] <= '9' && variant[1] == '\0' ? variant[0] - '0' : -1;
}

int platform_rank(const struct platform *platform, const char *architecture, unsigned level)
{
    int variant = variant_number(platform->variant);

    if (platform->os && strcasecmp(platform->os, "linux") != 0)
        return -1;
    if (!platform->architecture)
        return 0;
    if (strcasecmp(plain_architecture(platform->architecture), architecture) != 0)
        return -1;
    if (strcmp(architecture, "amd64") == 0 && variant == 0)
        variant = 1;
    if (strcmp(architecture, "amd64") == 0)
        return variant > 0 && (unsigned)variant <= level ? variant : -1;
    return variant == 0 || variant == 8 ? 1 : -1;
}

const char *platform_format(const struct platform *platform, char text[PLATFORM_TEXT_SIZE])
{
    snprintf(text, PLATFORM_TEXT_SIZE, "%.24s/%.24s%s%.24s", platform->os ? platform->os : "linux",
             platform->architecture ? platform->architecture : "(any)",
             platform->variant ? "/" : "", platform->variant ? platform->variant : "");
    return text;
}
