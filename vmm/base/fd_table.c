/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors by name; see fd_table.h. */
#include "vmm/base/fd_table.h"

#include <errno.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int find(const struct fd_table *table, const char *name)
{
    for (unsigned i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return (int)i;
    return -1;
}

int fd_table_add(struct fd_table *table, const char *name, int fd, struct error *err)
{
    size_t length = strlen(name);

    if (fd < 0)
        return 0;
    if (length == 0 || length >= FD_TABLE_NAME_SIZE || strchr(name, ':') || find(table, name) >= 0)
        return error_set(err, EINVAL, "descriptor '%s': not a name, or there is one already", name);
    if (table->count == FD_TABLE_MAX)
        return error_set(err, E2BIG, "more than %d descriptors", FD_TABLE_MAX);
    memcpy(table->rows[table->count].name, name, length + 1);
    table->rows[table->count].fd = fd;
    table->count++;
    return 0;
}

int fd_table_take(struct fd_table *table, const char *name)
{
    int row = find(table, name);
    int fd = row < 0 ? -1 : table->rows[row].fd;

    if (row >= 0)
        table->rows[row].fd = -1;
    return fd;
}

int fd_table_find(const struct fd_table *table, const char *name)
{
    int row = find(table, name);

    return row < 0 ? -1 : table->rows[row].fd;
}

bool fd_table_has(const struct fd_table *table, const char *name)
{
    return fd_table_find(table, name) >= 0;
}

int fd_table_names(const struct fd_table *table, char **names, struct error *err)
{
    char *at = malloc((size_t)FD_TABLE_MAX * FD_TABLE_NAME_SIZE);

    if (!at)
        return error_set_errno(err, ENOMEM, "descriptors");
    *names = at;
    *at = '\0';
    for (unsigned i = 0; i < table->count; i++) {
        if (i > 0)
            *at++ = ':';
        at = stpcpy(at, table->rows[i].name);
    }
    return 0;
}

static int receive_one(const char *text, size_t length, struct fd_table *table, struct error *err)
{
    char name[FD_TABLE_NAME_SIZE];
    int fd = FD_TABLE_FIRST + (int)table->count;

    if (length >= sizeof(name))
        return error_set(err, EINVAL, "descriptor %d: its name is too long", fd);
    memcpy(name, text, length);
    name[length] = '\0';
    return fd_table_add(table, name, fd, err);
}

int fd_table_receive(const char *names, struct fd_table *table, struct error *err)
{
    table->count = 0;
    if (close_range(FD_TABLE_FIRST, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return error_set_errno(err, errno, "descriptors");
    while (*names) {
        size_t length = strcspn(names, ":");
        int rc = receive_one(names, length, table, err);

        if (rc < 0)
            return rc;
        names += length + (names[length] == ':');
    }
    return 0;
}

void fd_table_close(struct fd_table *table)
{
    for (unsigned i = 0; i < table->count; i++)
        if (table->rows[i].fd >= 0)
            close(table->rows[i].fd);
    table->count = 0;
}
