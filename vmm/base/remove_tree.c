/* SPDX-License-Identifier: Apache-2.0 */
/* Remove a directory and its contents, without following any link. */
#include "vmm/base/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

static int remove_directory(int parent_fd, const char *name, unsigned depth);

static int remove_entry(int directory_fd, const char *name, unsigned depth)
{
    if (unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    /* Most directories of an instance are empty. */
    if (unlinkat(directory_fd, name, AT_REMOVEDIR) == 0)
        return 0;
    return remove_directory(directory_fd, name, depth);
}

/* Removes the contents of the directory and closes `directory_fd`. */
static int remove_contents(int directory_fd, unsigned depth)
{
    const struct dirent *entry;
    DIR *directory = fdopendir(directory_fd);
    int first = 0;

    if (!directory) {
        first = -errno;
        close(directory_fd);
        return first;
    }
    while ((entry = readdir(directory))) {
        int rc;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = remove_entry(dirfd(directory), entry->d_name, depth);
        if (rc < 0 && first == 0)
            first = rc;
    }
    closedir(directory);
    return first;
}

static int remove_directory(int parent_fd, const char *name, unsigned depth)
{
    int fd;
    int rc;

    if (depth == REMOVE_DEPTH_MAX)
        return -ELOOP;
    fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    rc = remove_contents(fd, depth + 1);
    if (rc < 0)
        return rc;
    return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int remove_tree(int parent_fd, const char *name)
{
    return remove_directory(parent_fd, name, 0);
}
