/* SPDX-License-Identifier: Apache-2.0 */
/* Libsquashfs's file interface on a descriptor. */
#include "vmm/image/import/squash_file.h"

#include <errno.h>
#include <sqfs/error.h>
#include <unistd.h>

#include "vmm/base/io.h"

static struct squash_file *from_base(sqfs_file_t *base)
{
    return (struct squash_file *)base;
}

static int failed(struct squash_file *file, int code)
{
    if (!file->failure)
        file->failure = code;
    return SQFS_ERROR_IO;
}

static int read_at(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size)
{
    struct squash_file *file = from_base(base);
    ssize_t count = io_pread_full(file->fd, buffer, size, (off_t)offset);

    if (count < 0)
        return failed(file, (int)-count);
    return (size_t)count == size ? 0 : SQFS_ERROR_OUT_OF_BOUNDS;
}

static int write_at(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size)
{
    struct squash_file *file = from_base(base);
    const char *at = buffer;

    while (size > 0) {
        ssize_t count = pwrite(file->fd, at, size, (off_t)offset);

        if (count < 0) {
            if (errno == EINTR)
                continue;
            return failed(file, errno);
        }
        at += count;
        offset += (sqfs_u64)count;
        size -= (size_t)count;
        if (offset > file->size)
            file->size = offset;
    }
    return 0;
}

static sqfs_u64 get_size(const sqfs_file_t *base)
{
    return ((const struct squash_file *)base)->size;
}

static int truncate_to(sqfs_file_t *base, sqfs_u64 size)
{
    struct squash_file *file = from_base(base);

    if (ftruncate(file->fd, (off_t)size) < 0)
        return failed(file, errno);
    file->size = size;
    return 0;
}

static void destroy(sqfs_object_t *object)
{
    (void)object;
}

void squash_file_init(struct squash_file *file, int fd)
{
    *file = (struct squash_file){
        .base = {{destroy, NULL}, read_at, write_at, get_size, truncate_to},
        .fd = fd,
    };
}
