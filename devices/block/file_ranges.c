/* SPDX-License-Identifier: Apache-2.0 */
/* Discard and zero a range of a file; see file_ranges.h. */
#include "devices/block/file_ranges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

static int allocate(int fd, int mode, off_t offset, off_t size)
{
    int rc;

    do
        rc = fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, offset, size);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

int file_discard(int fd, off_t offset, off_t size)
{
    int rc = allocate(fd, FALLOC_FL_PUNCH_HOLE, offset, size);

    return rc == -EOPNOTSUPP ? 0 : rc;
}

static int write_zeroes(int fd, off_t offset, off_t size)
{
    static uint8_t zeroes[65536]; /* never written; a constant would be in the program file */

    while (size > 0) {
        size_t part = size < (off_t)sizeof(zeroes) ? (size_t)size : sizeof(zeroes);
        ssize_t written = pwrite(fd, zeroes, part, offset);

        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        offset += written;
        size -= written;
    }
    return 0;
}

int file_write_zeroes(int fd, off_t offset, off_t size, bool unmap)
{
    int rc = allocate(fd, unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE, offset, size);

    return rc == -EOPNOTSUPP ? write_zeroes(fd, offset, size) : rc;
}
