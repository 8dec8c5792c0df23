/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms of images; see platform.h. */
#include "vmm/image/platform.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

void platform_release(struct platform *platform)
{
    free(platform->os);
    free(platform->architecture);
    free(platform->variant);
    *platform = (struct platform){0};
}

const char *platform_host_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#else
#error "name this architecture as image configs do (GOARCH)"
#endif
}

#if defined(__x86_64__)
static bool has_all(unsigned value, unsigned bits)
{
    return (value & bits) == bits;
}

/* XCR0: the state of registers that the kernel saves. */
static unsigned read_xcr0(void)
{
    unsigned low;
    unsigned high;

    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* x86-64 psABI, "Micro-Architecture Levels". */
static unsigned find_level(void)
{
    const unsigned avx_state = 0x6;
    const unsigned avx512_state = 0xe6;
    unsigned eax;
    unsigned ebx;
    unsigned ecx1 = 0;
    unsigned edx;
    unsigned ebx7 = 0;
    unsigned ecx_extended = 0;
    unsigned ignored;
    unsigned xcr0;

    __get_cpuid(1, &eax, &ebx, &ecx1, &edx);
    __get_cpuid_count(7, 0, &eax, &ebx7, &ignored, &edx);
    __get_cpuid(0x80000001, &eax, &ebx, &ecx_extended, &edx);
    if (!has_all(ecx1,
                 bit_SSE3 | bit_SSSE3 | bit_CMPXCHG16B | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT) ||
        !has_all(ecx_extended, bit_LAHF_LM))
        return 1;
    xcr0 = has_all(ecx1, bit_OSXSAVE) ? read_xcr0() : 0;
    if (!has_all(xcr0, avx_state) || !has_all(ecx1, bit_AVX | bit_F16C | bit_FMA | bit_MOVBE) ||
        !has_all(ebx7, bit_AVX2 | bit_BMI | bit_BMI2) || !has_all(ecx_extended, bit_LZCNT))
        return 2;
    if (!has_all(xcr0, avx512_state) ||
        !has_all(ebx7, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL))
        return 3;
    return 4;
}

unsigned platform_host_level(void)
{
    static unsigned level; /* asking costs an exit in a virtual machine */

    if (level == 0)
        level = find_level();
    return level;
}
#else
unsigned platform_host_level(void)
{
    return 0;
}
#endif

/* Go's name of an architecture that was called by another one. */
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

/* The number of "v3" or "3"; 0 for no variant, -1 for what is none. */
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
