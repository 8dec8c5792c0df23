/* SPDX-License-Identifier: Apache-2.0 */
/* Write a file; see sink.h. */
#include "vmm/image/import/sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bytes.h"

#define HOLE_SIZE 4096

void sink_open(struct sink *sink, int fd, struct budget *budget)
{
    *sink = (struct sink){.fd = fd, .budget = budget};
    sha256_init(&sink->hash);
}

static int write_at(struct sink *sink, const char *data, size_t size, uint64_t offset,
                    struct error *err)
{
    int rc = budget_write(sink->budget, size, err);

    if (rc < 0)
        return rc;
    while (size > 0) {
        ssize_t count = pwrite(sink->fd, data, size, (off_t)offset);

        if (count < 0 && errno != EINTR)
            return error_set_errno(err, errno, "cannot write to the image store");
        if (count < 0)
            continue;
        data += count;
        size -= (size_t)count;
        offset += (uint64_t)count;
    }
    return 0;
}

/* Writes everything except blocks of zeros, which become holes. */
static int write_data(struct sink *sink, const char *data, size_t size, struct error *err)
{
    size_t from = 0; /* start of the unwritten part */
    size_t part;

    for (size_t at = 0; at < size; at += part) {
        /* In blocks of the file, however the data is split. */
        size_t left = HOLE_SIZE - (size_t)((sink->size + at) % HOLE_SIZE);

        part = size - at < left ? size - at : left;
        if (!bytes_are_zero(data + at, part))
            continue;
        if (at > from) {
            int rc = write_at(sink, data + from, at - from, sink->size + from, err);

            if (rc < 0)
                return rc;
        }
        from = at + part;
    }
    return size > from ? write_at(sink, data + from, size - from, sink->size + from, err) : 0;
}

int sink_write(struct sink *sink, const void *data, size_t size, struct error *err)
{
    int rc = write_data(sink, data, size, err);

    if (rc < 0)
        return rc;
    sha256_update(&sink->hash, size, data);
    sink->size += size;
    return 0;
}

int sink_finish(struct sink *sink, struct error *err)
{
    if (ftruncate(sink->fd, (off_t)sink->size) < 0)
        return error_set_errno(err, errno, "cannot write to the image store");
    return 0;
}
