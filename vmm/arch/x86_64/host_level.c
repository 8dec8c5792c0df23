/* SPDX-License-Identifier: Apache-2.0 */
/* The level of the host's processor: which images it can run. Also in microvm-import. */
#include <cpuid.h>

#include "vmm/arch/arch.h"

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
unsigned arch_host_level(void)
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
