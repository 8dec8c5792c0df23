/* SPDX-License-Identifier: Apache-2.0 */
/* The temporary file; see spool.h. */
#include "vmm/image/import/spool.h"

#include <errno.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

void spool_open(struct spool *spool, int fd, struct budget *budget)
{
    *spool = (struct spool){.fd = fd, .budget = budget};
}

void spool_close(struct spool *spool)
{
    /* It has a name in the directory of the import, so closing it would not free its space. */
    if (spool->fd >= 0 && ftruncate(spool->fd, 0) == 0 && spool->budget)
        spool->budget->written -= spool->size;
    cleanup_close(&spool->fd);
    spool->fd = -1;
}

int spool_append(struct spool *spool, const void *data, size_t size, struct error *err)
{
    int rc = budget_write(spool->budget, size, err);

    if (rc < 0)
        return rc;
    rc = io_write_all(spool->fd, data, size);
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
