/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel file that is all of the fuzzer's making is refused, or lands inside of memory.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/arch/x86_64/elf.h"
#include "vmm/arch/x86_64/layout.h"

#define MEMORY_SIZE (LAYOUT_KERNEL + 65536U)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    uint8_t *host = malloc(MEMORY_SIZE);
    struct guest_memory memory = {.regions = {{0, MEMORY_SIZE, host}}, .count = 1};
    struct arch_boot boot = {0};
    struct error err = ERROR_INIT;

    if (fd < 0)
        fd = memfd_create("kernel", MFD_CLOEXEC);
    if (!host || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (elf_is_kernel(data, size) &&
        elf_load(fd, "kernel", data, size < BZIMAGE_HEAD_SIZE ? size : BZIMAGE_HEAD_SIZE, &memory,
                 MEMORY_SIZE - 4096, &boot, &err) == 0 &&
        (boot.entry < LAYOUT_KERNEL || boot.entry >= MEMORY_SIZE - 4096))
        abort();
    if (bzimage_is_kernel(data, size) && size < 512)
        abort();
    free(host);
    return 0;
}
