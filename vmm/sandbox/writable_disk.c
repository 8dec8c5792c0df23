/* SPDX-License-Identifier: Apache-2.0 */
/* The disk of a container's writable layer; see writable_disk.h. */
#include "vmm/sandbox/writable_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/search_path.h"
#include "vmm/base/spawn.h"

#define DISK_FD 3 /* in mke2fs */

/* Returns a file without a name; on a file system that cannot make one, one that has lost it. */
static int open_unnamed(const char *directory, struct error *err)
{
    char path[PATH_MAX];
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    if (snprintf(path, sizeof(path), "%s/microvm-disk-XXXXXX", directory) >= (int)sizeof(path))
        return error_set_errno(err, ENAMETOOLONG, "--disk: %s", directory);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "--disk: cannot make a file in %s", directory);
    unlink(path);
    return fd;
}

static int make_file_system(int fd, struct error *err)
{
    /* No journal, because the file system never outlives its VM; and the file is all zeros
     * already, so that nothing need be cleared, neither now nor later by the guest. */
    static const char *const arguments[] = {
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-m",
        "0",
        "-O",
        "^has_journal",
        "-E",
        "nodiscard,lazy_itable_init=1,assume_storage_prezeroed=1",
        "/proc/self/fd/3",
        NULL};
    AUTO_FREE char *program = search_path_find("mke2fs");
    const struct spawn spawn = {
        .program = program,
        .arguments = arguments,
        .environment = (const char *const[]){NULL},
        .descriptors =
            (const struct spawn_descriptor[]){{0, SPAWN_NULL}, {1, SPAWN_NULL}, {DISK_FD, fd}},
        .descriptor_count = 3,
    };
    int rc;

    if (!program)
        return error_set(err, ENOENT, "--disk: mke2fs is missing; install the package e2fsprogs");
    rc = spawn_run(&spawn, err);
    if (rc == -EIO)
        return error_set(err, EIO, "--disk: %s failed, see above", program);
    return rc < 0 ? error_wrap(err, rc, "--disk") : 0;
}

int disk_create(uint64_t size, struct error *err)
{
    const char *directory = getenv("TMPDIR");
    AUTO_CLOSE int fd = -1;
    int rc;

    fd = open_unnamed(directory && *directory ? directory : "/var/tmp", err);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)size) < 0)
        return error_set_errno(err, errno, "--disk of %llu bytes", (unsigned long long)size);
    rc = make_file_system(fd, err);
    return rc < 0 ? rc : steal_fd(&fd);
}
