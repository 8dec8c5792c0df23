/* SPDX-License-Identifier: Apache-2.0 */
/* Write a cpio archive into memory; see cpio.h. */
#include "vmm/compare/cpio.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/bytes.h"

#define HEADER_SIZE 110 /* "070701" and 13 numbers of 8 hexadecimal digits */
#define ALIGNMENT   4   /* of names together with their header, and of contents */

/* Makes room for `more` bytes at the end. */
static int reserve(struct cpio *cpio, size_t more, struct error *err)
{
    size_t needed = cpio->size + more;
    size_t capacity = cpio->capacity ? cpio->capacity : 4096;
    char *grown;

    while (capacity < needed)
        capacity *= 2;
    if (capacity == cpio->capacity)
        return 0;
    grown = realloc(cpio->data, capacity);
    if (!grown)
        return error_set_errno(err, ENOMEM, "archive of %zu bytes", needed);
    cpio->data = grown;
    cpio->capacity = capacity;
    return 0;
}

/* Appends bytes and zeros up to the alignment; the room is there. */
static void append(struct cpio *cpio, const void *data, size_t size)
{
    size_t padded = align_up(size, ALIGNMENT);

    if (size > 0)
        memcpy(cpio->data + cpio->size, data, size);
    memset(cpio->data + cpio->size + size, 0, padded - size);
    cpio->size += padded;
}

static int add_entry(struct cpio *cpio, const char *path, mode_t mode, const void *data,
                     size_t size, struct error *err)
{
    size_t name_size = strlen(path) + 1;
    char name[HEADER_SIZE + PATH_MAX + 1];
    int rc;

    if (size > UINT32_MAX || name_size > PATH_MAX)
        return error_set(err, EFBIG, "%s: does not fit into a cpio archive", path);
    rc = reserve(cpio, align_up(HEADER_SIZE + name_size, ALIGNMENT) + align_up(size, ALIGNMENT),
                 err);
    if (rc < 0)
        return rc;
    /* In order: inode, mode, uid, gid, links, time, size, device, represented device, name size,
     * checksum. */
    snprintf(name, sizeof(name), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s",
             ++cpio->inode, mode, 0, 0, S_ISDIR(mode) ? 2 : 1, 0, (unsigned)size, 0, 0, 0, 0,
             (unsigned)name_size, 0, path);
    append(cpio, name, HEADER_SIZE + name_size);
    append(cpio, data, size);
    return 0;
}

int cpio_add_directory(struct cpio *cpio, const char *path, mode_t mode, struct error *err)
{
    return add_entry(cpio, path, S_IFDIR | mode, NULL, 0, err);
}

int cpio_add_file(struct cpio *cpio, const char *path, mode_t mode, const void *data, size_t size,
                  struct error *err)
{
    return add_entry(cpio, path, S_IFREG | mode, data, size, err);
}

int cpio_finish(struct cpio *cpio, struct error *err)
{
    return add_entry(cpio, "TRAILER!!!", 0, NULL, 0, err);
}

void cpio_release(struct cpio *cpio)
{
    free(cpio->data);
    *cpio = (struct cpio){0};
}
