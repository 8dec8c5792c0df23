/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the disk of a container's writable layer; see writable_disk.h. */
#include "vmm/sandbox/writable_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/search_path.h"

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

/* Starts mke2fs on descriptor DISK_FD. Returns 0 or a positive errno. */
static int spawn_mke2fs(const char *program, int fd, pid_t *pid)
{
    /* No journal, because the file system never outlives its machine; and the file is all zeros
     * already, so that nothing need be cleared, neither now nor later by the guest. */
    char *const arguments[] = {"mke2fs",
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
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int rc;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, fd, DISK_FD);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, DISK_FD + 1);
    if (rc == 0)
        rc = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

static int make_file_system(int fd, struct error *err)
{
    AUTO_FREE const char *program = search_path_find("mke2fs");
    pid_t pid;
    int status = 0;
    int rc;

    if (!program)
        return error_set(err, ENOENT, "--disk: mke2fs is missing; install the package e2fsprogs");
    rc = spawn_mke2fs(program, fd, &pid);
    if (rc != 0)
        return error_set_errno(err, rc, "--disk: %s", program);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        return error_set(err, EIO, "--disk: %s failed, see above", program);
    return 0;
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
