/* SPDX-License-Identifier: Apache-2.0 */
/* A cgroup for each run; see run_group.h. */
#include "vmm/trial/run_group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cgroup.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/parse.h"

#define PREFIX       "microvm-compare."
#define DEPTH_MAX    16
#define KILL_TRIES   100
#define KILL_WAIT_US 20000

/* The controllers whose counters are read; with version 2 they are in one hierarchy. */
static size_t counters(const char *names[2])
{
    names[0] = "memory";
    names[1] = "cpuacct";
    return cgroup_version() == CGROUP_V2 ? 1 : 2;
}

pid_t run_group_owner(const char *name)
{
    char number[16];
    uint64_t owner;
    size_t length;

    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    name += strlen(PREFIX);
    length = strcspn(name, ".");
    if (name[length] != '.' || length >= sizeof(number))
        return 0;
    snprintf(number, sizeof(number), "%.*s", (int)length, name);
    return parse_u64(number, "process", 1, INT_MAX, &owner, NULL) == 0 ? (pid_t)owner : 0;
}

/* ---- removing -------------------------------------------------------------------------------- */

static unsigned members_met;

static int kill_members(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    AUTO_FCLOSE FILE *file = NULL;
    int pid;

    (void)status;
    if (kind != FTW_F || strcmp(path + walk->base, "cgroup.procs") != 0)
        return 0;
    file = fopen(path, "re");
    while (file && fscanf(file, "%d", &pid) == 1) {
        members_met++;
        if (pid > 1)
            kill(pid, SIGKILL);
    }
    return 0;
}

/* Processes are left only by a run that was killed. */
static void remove_path(const char *path)
{
    char directory[PATH_MAX];

    for (int i = 0; i < KILL_TRIES && cgroup_directory("memory", path, directory); i++) {
        members_met = 0;
        nftw(directory, kill_members, DEPTH_MAX, FTW_PHYS | FTW_MOUNT);
        if (members_met == 0)
            break;
        usleep(KILL_WAIT_US);
    }
    (void)cgroup_remove(path);
}

static void remove_stale(const char *directory)
{
    DIR *groups = opendir(directory);
    const struct dirent *entry;

    while (groups && (entry = readdir(groups))) {
        pid_t owner = run_group_owner(entry->d_name);
        char path[NAME_MAX + 2];

        if (owner == 0 || kill(owner, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof(path), "/%s", entry->d_name);
        remove_path(path);
    }
    if (groups)
        closedir(groups);
}

int run_group_prepare(struct error *err)
{
    const char *names[2];
    size_t count = counters(names);

    for (size_t i = 0; i < count; i++) {
        char directory[PATH_MAX];

        if (!cgroup_directory(names[i], "", directory))
            return error_set(err, ENOENT, "no cgroups here that count %s",
                             i == 0 ? "memory" : "processor time");
        if (access(directory, W_OK) < 0)
            return error_set_errno(err, errno, "cannot make a cgroup in %s", directory);
        remove_stale(directory);
    }
    return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Version 2: allows limits of these kinds in the cgroups below. One write each, so that a kind that
 * is missing here does not affect the others. */
static void enable_controllers(const char *directory)
{
    static const char *const words[] = {"+memory", "+cpu", "+pids", "+cpuset", "+io"};
    char path[PATH_MAX];
    AUTO_CLOSE int fd = -1;

    if (snprintf(path, sizeof(path), "%s/cgroup.subtree_control", directory) >= (int)sizeof(path))
        return;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LENGTH(words) && fd >= 0; i++) {
        if (write(fd, words[i], strlen(words[i])) < 0)
            continue;
    }
}

static int make_in(const char *controller, struct run_group *group, struct error *err)
{
    char top[PATH_MAX];
    char path[PATH_MAX];
    char inner[PATH_MAX + 32];
    int fd;

    if (!cgroup_directory(controller, "", top) || !cgroup_directory(controller, group->path, path))
        return error_set(err, ENOENT, "no cgroups of %s here", controller);
    enable_controllers(top);
    if (mkdir(path, 0755) < 0)
        return error_set_errno(err, errno, "cgroup %s", path);
    enable_controllers(path);
    snprintf(inner, sizeof(inner), "%s/run", path);
    if (mkdir(inner, 0755) < 0)
        return error_set_errno(err, errno, "cgroup %s", inner);
    snprintf(inner, sizeof(inner), "%s/run/cgroup.procs", path);
    fd = open(inner, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "%s", inner);
    group->joins[group->join_count++] = fd;
    return 0;
}

int run_group_create(unsigned number, struct run_group *group, struct error *err)
{
    const char *names[2];
    size_t count = counters(names);

    *group = (struct run_group){0};
    snprintf(group->path, sizeof(group->path), "/" PREFIX "%d.%u", (int)getpid(), number);
    for (size_t i = 0; i < count; i++) {
        int rc = make_in(names[i], group, err);

        if (rc < 0) {
            run_group_destroy(group);
            return rc;
        }
    }
    return 0;
}

void run_group_destroy(struct run_group *group)
{
    for (size_t i = 0; i < group->join_count; i++)
        close(group->joins[i]);
    if (group->path[0])
        remove_path(group->path);
    *group = (struct run_group){0};
}
