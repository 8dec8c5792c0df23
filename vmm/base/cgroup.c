/* SPDX-License-Identifier: Apache-2.0 */
/* The host's cgroups; see cgroup.h. */
#include "vmm/base/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/shortage.h"

#define HYBRID    CGROUP_TOP "/unified"
#define FILE_MAX  (64U << 10)
#define DEPTH_MAX 16
/* A group is busy until the kernel has released its last process. */
#define REMOVE_TRIES   50
#define REMOVE_WAIT_US 2000

static bool is_file_system(const char *path, long magic)
{
    struct statfs status;

    return statfs(path, &status) == 0 && (long)status.f_type == magic;
}

enum cgroup_version cgroup_version(void)
{
    if (is_file_system(CGROUP_TOP, CGROUP2_SUPER_MAGIC))
        return CGROUP_V2;
    return is_file_system(CGROUP_TOP "/memory", CGROUP_SUPER_MAGIC) ||
                   is_file_system(CGROUP_TOP "/cpu", CGROUP_SUPER_MAGIC)
               ? CGROUP_V1
               : CGROUP_NONE;
}

const char *cgroup_hybrid_mount(void)
{
    return cgroup_version() == CGROUP_V1 && is_file_system(HYBRID, CGROUP2_SUPER_MAGIC) ? HYBRID
                                                                                        : NULL;
}

/* Is `word` in `list`, which blanks separate? */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += length) {
        bool starts = at == list || at[-1] == ' ';

        if (starts && (at[length] == ' ' || at[length] == '\n' || at[length] == '\0'))
            return true;
    }
    return false;
}

bool cgroup_directory(const char *controller, const char *path, char directory[PATH_MAX])
{
    AUTO_FREE char *controllers = NULL;
    size_t size;

    switch (cgroup_version()) {
    case CGROUP_V2:
        if (io_read_file(AT_FDCWD, CGROUP_TOP "/cgroup.controllers", FILE_MAX, &controllers, &size,
                         NULL) < 0)
            return false;
        if (strcmp(controller, "devices") != 0 && !has_word(controllers, controller))
            return false;
        return snprintf(directory, PATH_MAX, CGROUP_TOP "%s", path) < PATH_MAX;
    case CGROUP_V1:
        if (snprintf(directory, PATH_MAX, CGROUP_TOP "/%s", controller) >= PATH_MAX ||
            !is_file_system(directory, CGROUP_SUPER_MAGIC))
            return false;
        return snprintf(directory, PATH_MAX, CGROUP_TOP "/%s%s", controller, path) < PATH_MAX;
    default:
        return false;
    }
}

bool cgroup_is_writable(const char *controller, const char *parent)
{
    char directory[PATH_MAX];

    return cgroup_directory(controller, parent, directory) &&
           (access(directory, W_OK) == 0 || (errno == ENOENT && geteuid() == 0));
}

bool cgroup_limits_swap(void)
{
    return cgroup_version() == CGROUP_V1 &&
                   access(CGROUP_TOP "/memory/memory.memsw.usage_in_bytes", F_OK) < 0
               ? false
               : access("/proc/swaps", F_OK) == 0;
}

/* Reads the number after `key` ("" = the file is one number) in a file of group `path`. */
static bool read_number(const char *controller, const char *path, const char *file, const char *key,
                        uint64_t *number)
{
    char directory[PATH_MAX];
    AUTO_FREE char *name = NULL;
    AUTO_FREE char *text = NULL;
    const char *at;
    size_t size;
    char *end;

    if (!cgroup_directory(controller, path, directory))
        return false;
    if (asprintf(&name, "%s/%s", directory, file) < 0) {
        name = NULL;
        return false;
    }
    if (io_read_file(AT_FDCWD, name, FILE_MAX, &text, &size, NULL) < 0)
        return false;
    at = strstr(text, key);
    if (!at)
        return false;
    at += strlen(key);
    errno = 0;
    *number = strtoumax(at, &end, 10);
    return errno == 0 && end != at;
}

bool cgroup_read_memory_peak(const char *path, uint64_t *bytes)
{
    const char *file = cgroup_version() == CGROUP_V2 ? "memory.peak" : "memory.max_usage_in_bytes";

    return read_number("memory", path, file, "", bytes);
}

bool cgroup_read_cpu_time(const char *path, uint64_t *microseconds)
{
    if (cgroup_version() == CGROUP_V2)
        return read_number("cpu", path, "cpu.stat", "usage_usec ", microseconds);
    if (!read_number("cpuacct", path, "cpuacct.usage", "", microseconds))
        return false;
    *microseconds /= 1000;
    return true;
}

static void remove_groups_below(int parent, const char *name, unsigned depth);

/* Removes group `name` of `parent`. It is busy while it has child groups, or processes that the
 * kernel has not released. Returns whether it is gone. */
static bool remove_group(int parent, const char *name, unsigned depth)
{
    for (unsigned i = 0; i < REMOVE_TRIES && unlinkat(parent, name, AT_REMOVEDIR) < 0; i++) {
        if (errno != EBUSY && errno != ENOTEMPTY)
            return !is_shortage(errno);
        if (i == 0)
            remove_groups_below(parent, name, depth);
        else
            usleep(REMOVE_WAIT_US);
    }
    return faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* The other entries of a group's directory are the kernel's files. */
static void remove_groups_below(int parent, const char *name, unsigned depth)
{
    AUTO_CLOSE int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_CLOSEDIR DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!directory)
        return;
    steal_fd(&fd);
    while (depth < DEPTH_MAX && (entry = readdir(directory)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            remove_group(dirfd(directory), entry->d_name, depth + 1);
}

static bool remove_in(const char *hierarchy, const char *path)
{
    AUTO_CLOSE int fd = open(hierarchy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? !is_shortage(errno) : remove_group(fd, path + strspn(path, "/"), 0);
}

bool cgroup_path_is_valid(const char *path)
{
    size_t names = 0;

    if (path[0] != '/')
        return false;
    for (size_t length; *(path += strspn(path, "/")); path += length, names++) {
        length = strcspn(path, "/");
        if (length == 2 && strncmp(path, "..", 2) == 0)
            return false;
    }
    return names > 0;
}

bool cgroup_remove(const char *path)
{
    AUTO_CLOSEDIR DIR *directory = NULL;
    const struct dirent *entry;
    bool gone = true;

    if (!cgroup_path_is_valid(path))
        return true;
    if (cgroup_version() == CGROUP_V2)
        return remove_in(CGROUP_TOP, path);
    directory = opendir(CGROUP_TOP);
    if (!directory)
        return !is_shortage(errno);
    while ((entry = readdir(directory))) {
        char hierarchy[PATH_MAX];

        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            snprintf(hierarchy, sizeof(hierarchy), CGROUP_TOP "/%s", entry->d_name) <
                (int)sizeof(hierarchy))
            gone = remove_in(hierarchy, path) && gone;
    }
    return gone;
}
