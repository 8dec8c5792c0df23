/* SPDX-License-Identifier: Apache-2.0 */
/* The version of a kernel image; see kernel_banner.h. */
#include "vmm/cli/kernel_banner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/arch/arch.h"
#include "vmm/base/cleanup.h"

/* Copies printable characters up to the first space. Returns their count. */
static size_t copy_word(const char *from, size_t limit, char text[KERNEL_BANNER_SIZE])
{
    size_t used = 0;

    while (used < limit && used < KERNEL_BANNER_SIZE - 1 && from[used] > ' ' && from[used] <= '~') {
        text[used] = from[used];
        used++;
    }
    text[used] = '\0';
    return used;
}

static bool find_banner(const char *image, size_t size, char text[KERNEL_BANNER_SIZE])
{
    static const char prefix[] = "Linux version ";
    const size_t length = sizeof(prefix) - 1;
    const char *end = image + size;
    const char *at = image;

    while ((at = memmem(at, (size_t)(end - at), prefix, length))) {
        at += length;
        if (at < end && *at >= '0' && *at <= '9')
            return copy_word(at, (size_t)(end - at), text) > 0;
    }
    return false;
}

static bool find_header_version(const char *image, size_t size, char text[KERNEL_BANNER_SIZE])
{
    size_t at = arch_kernel_version_at((const uint8_t *)image, size);

    return at > 0 && copy_word(image + at, size - at, text) > 0;
}

int kernel_banner_read(const char *path, char text[KERNEL_BANNER_SIZE], struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *image;
    size_t size;
    bool found;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "%s", path);
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return error_set(err, ENOEXEC, "%s is not a kernel", path);
    size = (size_t)status.st_size;
    image = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED)
        return error_set_errno(err, errno, "%s", path);
    found = find_header_version(image, size, text) || find_banner(image, size, text);
    munmap(image, size);
    return found ? 0 : error_set(err, ENOEXEC, "%s is not a Linux kernel", path);
}
