/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes what the runtime mounts on; see targets.h. The runtime follows links within the root, too,
 * but not all of those that lead to nothing, and its message when it cannot names no image.
 *
 * Nothing else changes the root meanwhile: there is no container yet.
 */
#include "guest/init/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/protocol.h"

#define LINKS_MAX 40 /* as in the kernel */

/* A path on its way to one without symbolic links, both relative to the root. */
struct walk {
    int root;
    unsigned links;
    char done[PATH_MAX]; /* "" or "a/b": its directories are real ones */
    char rest[PATH_MAX]; /* to be looked at */
};

/* Takes the next name off `rest` and adds it to `done`. Returns 1, 0 at the end, or -1. */
static int next_name(struct walk *walk)
{
    char *at = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(at, "/");
    size_t used = strlen(walk->done);

    if (length == 0)
        return 0;
    if (strncmp(at, "..", length) == 0) { /* or "." */
        char *slash = strrchr(walk->done, '/');

        if (length == 2)
            *(slash ? slash : walk->done) = '\0';
    } else if (used + 1 + length >= sizeof(walk->done)) {
        errno = ENAMETOOLONG;
        return -1;
    } else {
        snprintf(walk->done + used, sizeof(walk->done) - used, "%s%.*s", used ? "/" : "",
                 (int)length, at);
    }
    memmove(walk->rest, at + length, strlen(at + length) + 1);
    return 1;
}

/* `done` ends with a symbolic link: what it says comes before `rest`. */
static int follow(struct walk *walk)
{
    char target[PATH_MAX];
    char rest[PATH_MAX];
    ssize_t size = readlinkat(walk->root, walk->done, target, sizeof(target) - 1);
    char *slash = strrchr(walk->done, '/');

    if (size < 0)
        return -1;
    target[size] = '\0';
    if (++walk->links > LINKS_MAX) {
        errno = ELOOP;
        return -1;
    }
    if (snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest) >= (int)sizeof(rest)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(walk->rest, rest, strlen(rest) + 1);
    *(slash && target[0] != '/' ? slash : walk->done) = '\0';
    return 0;
}

/* Makes what is missing at `done`. */
static int make(const struct walk *walk, bool is_file)
{
    int fd;

    if (!is_file)
        return mkdirat(walk->root, walk->done, 0755);
    fd = openat(walk->root, walk->done, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static bool is_last(const struct walk *walk)
{
    return walk->rest[strspn(walk->rest, "/")] == '\0';
}

static int make_target(struct walk *walk, const char *path, bool is_file, struct failure *failure)
{
    bool is_directory = true;
    int result;

    if (snprintf(walk->rest, sizeof(walk->rest), "%s", path) >= (int)sizeof(walk->rest))
        return failure_set(failure, "%.64s...: the path is too long to be mounted on", path);
    walk->done[0] = '\0';
    walk->links = 0;
    while ((result = next_name(walk)) > 0) {
        struct stat status = {.st_mode = S_IFDIR};
        const char *name = walk->done[0] ? walk->done : ".";

        if (fstatat(walk->root, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            bool file = is_file && is_last(walk);

            if (errno != ENOENT || make(walk, file) < 0)
                break;
            is_directory = !file;
        } else if (S_ISLNK(status.st_mode)) {
            if (follow(walk) < 0)
                break;
        } else {
            is_directory = S_ISDIR(status.st_mode);
        }
        if (!is_directory && !is_last(walk)) {
            errno = ENOTDIR;
            break;
        }
    }
    if (result != 0)
        return failure_set_errno(failure, "%s of the image cannot be mounted on", path);
    if (is_directory == is_file)
        return failure_set(failure, "%s of the image is %s, and %s is to be mounted there", path,
                           is_file ? "a directory" : "not a directory",
                           is_file ? "a file" : "a directory");
    return 0;
}

int targets_make(const char *directory, struct failure *failure)
{
    static struct walk walk;
    char path[PATH_MAX];
    FILE *list;
    char *line = NULL;
    size_t size = 0;
    int result = 0;

    snprintf(path, sizeof(path), "%s" PROTOCOL_TARGETS, directory);
    list = fopen(path, "re");
    if (!list)
        return failure_set_errno(failure, "%s", path);
    snprintf(path, sizeof(path), "%s" PROTOCOL_ROOTFS_PATH, directory);
    walk.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (walk.root < 0)
        result = failure_set_errno(failure, "%s", path);
    while (result == 0 && getdelim(&line, &size, '\0', list) > 1)
        result = make_target(&walk, line + 1, line[0] == PROTOCOL_TARGET_FILE, failure);
    free(line);
    fclose(list);
    if (walk.root >= 0)
        close(walk.root);
    return result;
}
