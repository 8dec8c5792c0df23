/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: start a program with few descriptors; see spawn.h. */
#include "vmm/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

#define DESCRIPTORS_MAX 4

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return rc;
}

/* `copies` are above `count`, so that none of them is overwritten before its turn. */
static int start(const char *path, char *const arguments[], const int copies[], size_t count,
                 pid_t *pid)
{
    AUTO_FREE char *libraries = NULL;
    char *environment[] = {NULL, NULL};
    const char *set = getenv("LD_LIBRARY_PATH");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc;

    if (set && asprintf(&libraries, "LD_LIBRARY_PATH=%s", set) < 0) {
        libraries = NULL;
        return ENOMEM;
    }
    environment[0] = libraries;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = set_attributes(&attributes);
        for (size_t i = 0; rc == 0 && i < count; i++)
            rc = posix_spawn_file_actions_adddup2(&actions, copies[i], (int)i);
        if (rc == 0)
            rc = posix_spawn_file_actions_addclosefrom_np(&actions, (int)count);
        if (rc == 0)
            rc = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int spawn_program(const char *path, char *const arguments[], const int descriptors[], size_t count,
                  pid_t *pid, struct error *err)
{
    int copies[DESCRIPTORS_MAX] = {-1, -1, -1, -1};
    size_t copied = 0;
    int rc = count <= DESCRIPTORS_MAX ? 0 : EINVAL;

    for (; rc == 0 && copied < count; copied++) {
        copies[copied] = fcntl(descriptors[copied], F_DUPFD_CLOEXEC, DESCRIPTORS_MAX);
        if (copies[copied] < 0) {
            rc = errno;
            break;
        }
    }
    if (rc == 0)
        rc = start(path, arguments, copies, count, pid);
    while (copied > 0)
        close(copies[--copied]);
    return rc ? error_set_errno(err, rc, "cannot start %s", path) : 0;
}
