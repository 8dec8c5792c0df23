/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the nameless temporary file; see spool.h. */
#include "vmm/image/import/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

int spool_create(int directory, struct spool *spool, struct error *err)
{
    spool->size = 0;
    spool->fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spool->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        /* A file system without O_TMPFILE. */
        spool->fd = openat(directory, "spool", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (spool->fd >= 0)
            unlinkat(directory, "spool", 0);
    }
    return spool->fd < 0 ? error_set_errno(err, errno, "cannot make a temporary file") : 0;
}

void spool_close(struct spool *spool)
{
    cleanup_close(&spool->fd);
    spool->fd = -1;
}

int spool_append(struct spool *spool, const void *data, size_t size, struct error *err)
{
    int rc = io_write_all(spool->fd, data, size);

    if (rc < 0)
        return error_set_errno(err, -rc, "cannot write a temporary file in the image store");
    spool->size += size;
    return 0;
}

int spool_read(const struct spool *spool, uint64_t offset, void *data, size_t size,
               struct error *err)
{
    ssize_t count = io_pread_full(spool->fd, data, size, (off_t)offset);

    if (count < 0 || (size_t)count != size)
        return error_set_errno(err, count < 0 ? (int)-count : EIO, "cannot read a temporary file");
    return 0;
}
