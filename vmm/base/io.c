/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes, whole files, time stamps. */
#include "vmm/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

#define KERNEL_FILE_MAX (64U << 10)

int io_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t written = write(fd, at, size);

        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

ssize_t io_read_full(int fd, void *data, size_t size)
{
    char *at = data;
    size_t used = 0;

    while (used < size) {
        ssize_t count = read(fd, at + used, size - used);

        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (count == 0)
            break;
        used += (size_t)count;
    }
    return (ssize_t)used;
}

ssize_t io_pread_full(int fd, void *data, size_t size, off_t offset)
{
    char *at = data;
    size_t used = 0;

    while (used < size) {
        ssize_t count = pread(fd, at + used, size - used, offset + (off_t)used);

        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (count == 0)
            break;
        used += (size_t)count;
    }
    return (ssize_t)used;
}

int io_read_file(int dir, const char *path, size_t limit, char **data, size_t *size,
                 struct error *err)
{
    /* Does not wait for the writer of a pipe: it is refused below. */
    AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    AUTO_FREE char *text = NULL;
    struct stat status;
    ssize_t count;
    size_t wanted;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "%s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, EINVAL, "%s: is not a regular file", path);
    if ((uint64_t)status.st_size > limit)
        return error_set(err, EFBIG, "%s: is larger than %zu bytes", path, limit);
    /* Files of /proc and /sys have size 0 and are not empty. */
    wanted = status.st_size > 0 ? (size_t)status.st_size : KERNEL_FILE_MAX;
    text = malloc(wanted + 1);
    if (!text)
        return error_set_errno(err, ENOMEM, "%s", path);
    count = io_read_full(fd, text, wanted);
    if (count < 0)
        return error_set_errno(err, (int)-count, "%s", path);
    text[count] = '\0';
    *size = (size_t)count;
    *data = steal_pointer(text);
    return 0;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t io_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t io_now_coarse_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}
