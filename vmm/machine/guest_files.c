/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a guest; see guest_files.h. */
#include "vmm/machine/guest_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "vmm/arch/arch.h"
#include "vmm/base/cleanup.h"

/* Non-blocking, and not our controlling terminal: the path may be of any kind. */
static int open_file(const char *what, const char *path, int flags, struct error *err)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd < 0 ? error_set_errno(err, errno, "%s %s", what, path) : fd;
}

int guest_files_open_kernel(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open_file("kernel", path, O_RDONLY, err);
    int unpacked = -1;
    int rc = fd < 0 ? fd : arch_kernel_unpack(fd, path, &unpacked, err);

    if (rc < 0)
        return rc;
    return unpacked >= 0 ? unpacked : steal_fd(&fd);
}

int guest_files_open_initramfs(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open_file("initramfs", path, O_RDONLY, err);
    struct stat status;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "initramfs %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, EINVAL, "initramfs %s: is not a regular file", path);
    return steal_fd(&fd);
}

int guest_files_open_disk(const char *path, bool read_only, struct error *err)
{
    return open_file("disk", path, read_only ? O_RDONLY : O_RDWR, err);
}
