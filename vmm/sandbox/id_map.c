/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of a user namespace; see id_map.h. */
#include "vmm/sandbox/id_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/spawn.h"

#define SUBID_FILE_MAX (1U << 20)

/* The first range of a file with lines NAME-OR-ID:FIRST:COUNT (subuid(5)). */
static struct id_range find_range(const char *path, const char *name, uid_t uid)
{
    struct id_range range = {0, 0};
    AUTO_FREE char *text = NULL;
    char number[24];
    char *rest;
    char *line;
    size_t size;

    if (io_read_file(AT_FDCWD, path, SUBID_FILE_MAX, &text, &size, NULL) < 0)
        return range;
    snprintf(number, sizeof(number), "%lu", (unsigned long)uid);
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        const char *owner = strsep(&line, ":");
        const char *first = strsep(&line, ":");
        const char *count = line;

        if (!first || !count || ((!name || strcmp(owner, name) != 0) && strcmp(owner, number) != 0))
            continue;
        range.first = strtoul(first, NULL, 10);
        range.count = strtoul(count, NULL, 10);
        if (range.first > 0 && range.count > 0)
            return range;
    }
    return (struct id_range){0, 0};
}

static int write_file(pid_t pid, const char *file, const char *text, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    char path[64];
    int rc;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    rc = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
    return rc < 0 ? error_set_errno(err, -rc, "%s", path) : 0;
}

static int map_root_alone(pid_t pid, struct error *err)
{
    char users[48];
    char groups[48];
    int rc;

    snprintf(users, sizeof(users), "0 %lu 1\n", (unsigned long)geteuid());
    snprintf(groups, sizeof(groups), "0 %lu 1\n", (unsigned long)getegid());
    rc = write_file(pid, "setgroups", "deny", err);
    if (rc < 0)
        return rc;
    rc = write_file(pid, "uid_map", users, err);
    return rc < 0 ? rc : write_file(pid, "gid_map", groups, err);
}

static int run_mapper(const char *program, pid_t pid, unsigned long self,
                      const struct id_range *range, struct error *err)
{
    char target[24];
    char outside[24];
    char first[24];
    char count[24];
    const char *const arguments[] = {program, target, "0", outside, "1", "1", first, count, NULL};
    const struct spawn spawn = {
        .program = program,
        .arguments = arguments,
        .environment = (const char *const *)environ,
    };
    int rc;

    snprintf(target, sizeof(target), "%d", (int)pid);
    snprintf(outside, sizeof(outside), "%lu", self);
    snprintf(first, sizeof(first), "%lu", range->first);
    snprintf(count, sizeof(count), "%lu", range->count);
    rc = spawn_run(&spawn, err);
    return rc == -EIO ? error_set(err, EIO, "%s failed, see above", program) : rc;
}

static bool is_installed(const char *program)
{
    static const char *const places[] = {"/usr/bin", "/bin", "/usr/local/bin"};
    char path[64];

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        snprintf(path, sizeof(path), "%s/%s", places[i], program);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

bool id_map_find(struct id_map *map)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *name = user ? user->pw_name : NULL;

    map->users = find_range("/etc/subuid", name, geteuid());
    map->groups = find_range("/etc/subgid", name, geteuid());
    if (map->users.count > 0 && map->groups.count > 0 && is_installed("newuidmap") &&
        is_installed("newgidmap"))
        return true;
    *map = (struct id_map){0};
    return false;
}

/* Lines "INSIDE OUTSIDE COUNT" of /proc/PID/gid_map (user_namespaces(7)). */
static uint64_t callers_groups(void)
{
    AUTO_FREE char *text = NULL;
    uint64_t count = 0;
    char *rest;
    char *line;
    size_t size;

    if (io_read_file(AT_FDCWD, "/proc/self/gid_map", SUBID_FILE_MAX, &text, &size, NULL) < 0)
        return 1;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        unsigned long inside;
        unsigned long more;

        if (sscanf(line, "%lu %*u %lu", &inside, &more) == 2 && inside == count)
            count += more;
    }
    return count > 0 ? count : 1;
}

uint64_t id_map_group_count(const struct id_map *map)
{
    return geteuid() == 0 ? callers_groups() : 1 + (uint64_t)map->groups.count;
}

int id_map_write(const struct id_map *map, pid_t pid, struct error *err)
{
    int rc;

    if (map->users.count == 0)
        return map_root_alone(pid, err);
    rc = run_mapper("newuidmap", pid, geteuid(), &map->users, err);
    return rc < 0 ? rc : run_mapper("newgidmap", pid, getegid(), &map->groups, err);
}
