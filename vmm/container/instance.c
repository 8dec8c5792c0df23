/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes and removes instance directories; see instance.h for what is in one.
 *
 * An instance directory and its lock are made while RUNTIME/.lock is held exclusively. So whoever
 * holds RUNTIME/.lock sees each instance either locked (it is alive) or unlocked (it is dead, or a
 * process was killed while it made or removed it).
 */
#include "vmm/container/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/cgroup.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/remove_tree.h"
#include "vmm/base/shortage.h"
#include "vmm/base/unix_socket.h"
#include "vmm/container/instance_name.h"
#include "vmm/sandbox/sandbox.h"

#define RUNTIME_LOCK       ".lock"
#define INSTANCE_LOCK      "lock"
#define NAME_TRIES         100
#define GENERATED_NAME_MAX 24 /* letters that instance_name_generate() makes at most */
/* The longest name of a socket in the directory of an instance. */
#define LONGEST_SOCKET "/vsock_4294967295"

int instance_runtime_path(char **path, struct error *err)
{
    const char *set = getenv("MICROVM_RUNTIME");
    const char *session = getenv("XDG_RUNTIME_DIR");
    int rc;

    if (set && *set) {
        if (*set != '/') {
            error_set(err, EINVAL, "MICROVM_RUNTIME: '%s' must be an absolute path", set);
            return -EINVAL;
        }
        rc = asprintf(path, "%s", set);
    } else if (geteuid() == 0) {
        rc = asprintf(path, "/run/microvm");
    } else if (session && *session == '/') {
        rc = asprintf(path, "%s/microvm", session);
    } else {
        rc = asprintf(path, "/tmp/microvm-%u", (unsigned)geteuid());
    }
    if (rc < 0) {
        error_set_errno(err, ENOMEM, "runtime directory");
        return -ENOMEM;
    }
    return 0;
}

/* Opens RUNTIME, and checks that no other user can change it. */
static int runtime_open(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "runtime directory %s", path);
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(err, EPERM,
                         "runtime directory %s: other users own it or can write to it; set "
                         "MICROVM_RUNTIME to a directory of your own",
                         path);
    return steal_fd(&fd);
}

static bool directory_is_empty(int fd)
{
    const struct dirent *entry;
    DIR *directory;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool empty = true;

    directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while (empty && (entry = readdir(directory)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return empty;
}

/*
 * Opens RUNTIME/.lock. Makes it only in an empty directory, so that a wrong MICROVM_RUNTIME never
 * makes a sweep remove a user's files.
 */
static int runtime_lock_open(int runtime_fd, const char *path, struct error *err)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(runtime_fd, RUNTIME_LOCK, flags);

    if (fd < 0 && errno == ENOENT) {
        /* Another command may have made it in between: the last open decides. */
        fd = openat(runtime_fd, RUNTIME_LOCK,
                    directory_is_empty(runtime_fd) ? flags | O_CREAT : flags, 0600);
        if (fd < 0 && errno == ENOENT)
            return error_set(err, EPERM,
                             "runtime directory %s: is not empty and was not made by microvm; set "
                             "MICROVM_RUNTIME to another directory",
                             path);
    }
    if (fd < 0)
        return error_set_errno(err, errno, "runtime directory %s: " RUNTIME_LOCK, path);
    return fd;
}

/* Waits for an exclusive lock. */
static int lock_wait(int fd)
{
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The cgroup of a container, usually of one whose client was killed. False if the kernel still ends
 * its processes: then the next sweep tries again. */
static bool remove_cgroup(int directory_fd)
{
    AUTO_FREE char *path = NULL;
    size_t size;
    int rc = io_read_file(directory_fd, SANDBOX_CGROUP_FILE, PATH_MAX, &path, &size, NULL);

    return rc < 0 ? !is_shortage(-rc) : cgroup_remove(path);
}

/* Removes instance `name` if nobody holds its lock. The caller holds RUNTIME/.lock. */
static void remove_if_stale(int runtime_fd, const char *name)
{
    AUTO_CLOSE int directory_fd =
        openat(runtime_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_CLOSE int lock_fd = -1;

    if (directory_fd < 0)
        return;
    lock_fd = openat(directory_fd, INSTANCE_LOCK, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock_fd >= 0 ? flock(lock_fd, LOCK_EX | LOCK_NB) < 0 : errno != ENOENT)
        return;
    if (remove_cgroup(directory_fd))
        (void)remove_tree(runtime_fd, name);
}

void instance_sweep(void)
{
    AUTO_FREE char *path = NULL;
    AUTO_CLOSE int runtime_fd = -1;
    AUTO_CLOSE int lock_fd = -1;
    const struct dirent *entry;
    DIR *directory;

    if (instance_runtime_path(&path, NULL) < 0)
        return;
    runtime_fd = runtime_open(path, NULL);
    if (runtime_fd < 0)
        return;
    lock_fd = openat(runtime_fd, RUNTIME_LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (lock_fd < 0 || flock(lock_fd, LOCK_EX | LOCK_NB) < 0)
        return; /* no instance was ever here, or another process sweeps */
    directory = fdopendir(runtime_fd);
    if (!directory)
        return;
    (void)steal_fd(&runtime_fd); /* now owned by `directory` */
    while ((entry = readdir(directory))) {
        if (instance_name_is_valid(entry->d_name))
            remove_if_stale(dirfd(directory), entry->d_name);
    }
    closedir(directory);
}

int instance_check_name(const char *name, struct error *err)
{
    if (instance_name_is_valid(name))
        return 0;
    return error_set(
        err, EINVAL,
        "--name: '%s' is not a valid name; use letters, digits, '_', '.', '-', at most %d, "
        "beginning with a letter or digit",
        name, INSTANCE_NAME_MAX);
}

/* Makes the directory, after removing a dead one of the same name. Returns 0 or a negative errno.
 */
static int directory_make(int runtime_fd, const char *name)
{
    if (mkdirat(runtime_fd, name, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    remove_if_stale(runtime_fd, name);
    return mkdirat(runtime_fd, name, 0700) == 0 ? 0 : -errno;
}

static int directory_make_generated(int runtime_fd, char name[INSTANCE_NAME_MAX + 1])
{
    int rc = -EEXIST;

    for (unsigned i = 0; i < NAME_TRIES && rc == -EEXIST; i++) {
        uint32_t seed;

        if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
            return -errno;
        instance_name_generate(seed, name);
        rc = directory_make(runtime_fd, name);
    }
    return rc;
}

static int instance_lock(struct instance *instance, struct error *err)
{
    instance->directory_fd = openat(instance->runtime_fd, instance->name,
                                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (instance->directory_fd < 0)
        return error_set_errno(err, errno, "%s", instance->directory);
    instance->lock_fd = openat(instance->directory_fd, INSTANCE_LOCK,
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (instance->lock_fd < 0 || flock(instance->lock_fd, LOCK_SH | LOCK_NB) < 0)
        return error_set_errno(err, errno, "%s/" INSTANCE_LOCK, instance->directory);
    return 0;
}

static int instance_listen(struct instance *instance, struct error *err)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/control.sock", instance->directory);
    instance->control_listener = unix_socket_listen(path, SOCK_SEQPACKET, 8, err);
    return instance->control_listener < 0 ? instance->control_listener : 0;
}

/* Makes and locks RUNTIME/NAME. The caller holds RUNTIME/.lock. */
static int instance_claim(const char *name, const char *runtime, struct instance *instance,
                          struct error *err)
{
    int rc;

    if (name) {
        snprintf(instance->name, sizeof(instance->name), "%s", name);
        rc = directory_make(instance->runtime_fd, instance->name);
    } else {
        rc = directory_make_generated(instance->runtime_fd, instance->name);
    }
    if (rc == -EEXIST && name)
        return error_set(err, EEXIST, "--name: '%s' is running already; use another name", name);
    if (rc < 0)
        return error_set_errno(err, -rc, "runtime directory %s: cannot make an instance", runtime);
    if (asprintf(&instance->directory, "%s/%s", runtime, instance->name) < 0) {
        instance->directory = NULL;
        return error_set_errno(err, ENOMEM, "instance %s", instance->name);
    }
    return instance_lock(instance, err);
}

static int instance_make(const char *name, struct instance *instance, struct error *err)
{
    AUTO_FREE char *runtime = NULL;
    int rc = instance_runtime_path(&runtime, err);

    if (rc < 0)
        return rc;
    if (strlen(runtime) + 1 + (name ? strlen(name) : GENERATED_NAME_MAX) + strlen(LONGEST_SOCKET) >=
        UNIX_SOCKET_PATH_SIZE)
        return error_set(err, ENAMETOOLONG,
                         "runtime directory %s: its path%s is too long for sockets in it; set "
                         "MICROVM_RUNTIME to a shorter one",
                         runtime, name ? " with this --name" : "");
    if (mkdir(runtime, 0700) < 0 && errno != EEXIST)
        return error_set_errno(err, errno, "runtime directory %s: cannot make it", runtime);
    instance->runtime_fd = runtime_open(runtime, err);
    if (instance->runtime_fd < 0)
        return instance->runtime_fd;
    instance->runtime_lock_fd = runtime_lock_open(instance->runtime_fd, runtime, err);
    if (instance->runtime_lock_fd < 0)
        return instance->runtime_lock_fd;
    rc = lock_wait(instance->runtime_lock_fd);
    if (rc < 0)
        return error_set_errno(err, -rc, "%s/" RUNTIME_LOCK, runtime);
    rc = instance_claim(name, runtime, instance, err);
    flock(instance->runtime_lock_fd, LOCK_UN);
    return rc < 0 ? rc : instance_listen(instance, err);
}

int instance_create(const char *name, struct instance *instance, struct error *err)
{
    struct error local = ERROR_INIT;
    int rc;

    if (!err)
        err = &local;
    rc = name ? instance_check_name(name, err) : 0;
    if (rc < 0)
        return rc;
    *instance = (struct instance)INSTANCE_INIT;
    rc = instance_make(name, instance, err);
    if (rc < 0)
        instance_destroy(instance);
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void instance_destroy(struct instance *instance)
{
    if (instance->directory_fd >= 0 && lock_wait(instance->runtime_lock_fd) == 0) {
        int rc = remove_cgroup(instance->directory_fd)
                     ? remove_tree(instance->runtime_fd, instance->name)
                     : 0;

        if (rc < 0)
            log_warning("%s: cannot be removed: %s", instance->directory, strerror(-rc));
    }
    close_fd(&instance->control_listener);
    close_fd(&instance->lock_fd);
    close_fd(&instance->directory_fd);
    close_fd(&instance->runtime_lock_fd);
    close_fd(&instance->runtime_fd);
    free(instance->directory);
    instance->directory = NULL;
}
