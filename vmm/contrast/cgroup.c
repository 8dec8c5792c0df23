/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: control groups made for one run; see cgroup.h. (Linux: Documentation/admin-guide:
 * cgroup-v2.rst, cgroup-v1/memory.rst, cgroup-v1/cpuacct.rst.) */
#include "vmm/contrast/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/parse.h"

#define PREFIX         "microvm-compare."
#define FILE_MAX       4096
#define DEPTH_MAX      16
#define REMOVE_TRIES   100
#define REMOVE_WAIT_US 20000 /* killed processes leave their group a moment later */

/* ---- small files ----------------------------------------------------------------------------- */

/* Files of cgroups have no size, so io_read_file() cannot read them. */
static int read_file(const char *path, char text[FILE_MAX], struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -errno : io_read_full(fd, text, FILE_MAX - 1);

    if (size < 0)
        return error_set_errno(err, (int)-size, "%s", path);
    text[size] = '\0';
    return 0;
}

static int write_file(const char *path, const char *text)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        if ((at == text || at[-1] == ' ') && strchr(" \n", at[length]))
            return true;
    }
    return false;
}

/* ---- finding the hierarchies ----------------------------------------------------------------- */

static bool is_version_2_with_memory(const char *mount)
{
    char path[PATH_MAX];
    char text[FILE_MAX];

    snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
    return read_file(path, text, NULL) == 0 && has_word(text, "memory");
}

static void add_tree(struct cgroup_host *host, const struct mntent *entry, bool unified)
{
    struct cgroup_tree *tree = &host->trees[host->tree_count];

    if (host->tree_count == CGROUP_TREES_MAX || strlen(entry->mnt_dir) >= sizeof(tree->mount))
        return;
    snprintf(tree->mount, sizeof(tree->mount), "%s", entry->mnt_dir);
    tree->unified = unified;
    tree->memory = unified || hasmntopt(entry, "memory");
    tree->cpu = unified || hasmntopt(entry, "cpuacct");
    host->tree_count++;
}

static void list_trees(struct cgroup_host *host)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    const struct mntent *entry;

    *host = (struct cgroup_host){0};
    while (mounts && (entry = getmntent(mounts))) {
        if (strcmp(entry->mnt_type, "cgroup2") == 0 && is_version_2_with_memory(entry->mnt_dir)) {
            host->tree_count = 0; /* it alone counts everything */
            add_tree(host, entry, true);
            break;
        }
        if (strcmp(entry->mnt_type, "cgroup") == 0)
            add_tree(host, entry, false);
    }
    if (mounts)
        endmntent(mounts);
}

static const struct cgroup_tree *find_tree(const struct cgroup_host *host, bool memory)
{
    for (size_t i = 0; i < host->tree_count; i++) {
        if (memory ? host->trees[i].memory : host->trees[i].cpu)
            return &host->trees[i];
    }
    return NULL;
}

/* ---- removing -------------------------------------------------------------------------------- */

static int remove_directory(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)walk;
    if (kind == FTW_DP)
        rmdir(path);
    return 0;
}

static int kill_members(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    AUTO_FCLOSE FILE *file = NULL;
    int pid;

    (void)status;
    if (kind != FTW_F || strcmp(path + walk->base, "cgroup.procs") != 0)
        return 0;
    file = fopen(path, "re");
    while (file && fscanf(file, "%d", &pid) == 1) {
        if (pid > 1)
            kill(pid, SIGKILL);
    }
    return 0;
}

/* Removes it with all below; its processes, if any are left, die. */
static void remove_group(const char *path)
{
    struct stat status;

    for (int i = 0; i < REMOVE_TRIES; i++) {
        nftw(path, remove_directory, DEPTH_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        if (stat(path, &status) < 0)
            return;
        nftw(path, kill_members, DEPTH_MAX, FTW_PHYS | FTW_MOUNT);
        usleep(REMOVE_WAIT_US);
    }
}

uint64_t cgroup_owner(const char *name)
{
    char number[16];
    uint64_t owner;
    const char *dot;

    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    name += strlen(PREFIX);
    dot = strchr(name, '.');
    if (!dot || (size_t)(dot - name) >= sizeof(number))
        return 0;
    snprintf(number, sizeof(number), "%.*s", (int)(dot - name), name);
    return parse_u64(number, "process", 1, INT_MAX, &owner, NULL) == 0 ? owner : 0;
}

static void remove_stale(const struct cgroup_tree *tree)
{
    DIR *directory = opendir(tree->mount);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        uint64_t owner = cgroup_owner(entry->d_name);
        char path[PATH_MAX];

        if (owner == 0 || kill((pid_t)owner, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof(path), "%s/%s", tree->mount, entry->d_name);
        remove_group(path);
    }
    if (directory)
        closedir(directory);
}

int cgroup_find(struct cgroup_host *host, struct error *err)
{
    const struct cgroup_tree *memory;
    const struct cgroup_tree *cpu;

    list_trees(host);
    memory = find_tree(host, true);
    cpu = find_tree(host, false);
    if (!memory || !cpu)
        return error_set(err, ENOENT,
                         "no control group hierarchy here counts memory and processor time");
    if (access(memory->mount, W_OK) < 0)
        return error_set_errno(err, errno, "no control group can be made in %s", memory->mount);
    if (access(cpu->mount, W_OK) < 0)
        return error_set_errno(err, errno, "no control group can be made in %s", cpu->mount);
    for (size_t i = 0; i < host->tree_count; i++)
        remove_stale(&host->trees[i]);
    return 0;
}

/* ---- one run's ------------------------------------------------------------------------------- */

/* Version 2: groups below may have these limits. One write each: one that is missing (a host
 * without it) takes no other along. */
static void enable_controllers(const char *directory)
{
    static const char *const words[] = {"+memory", "+cpu", "+pids", "+cpuset", "+io"};
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", directory);
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        (void)write_file(path, words[i]);
}

static int make_in(const struct cgroup_tree *tree, struct cgroup *group, struct error *err)
{
    char outer[CGROUP_PATH_SIZE + CGROUP_NAME_SIZE];
    char path[PATH_MAX];
    int fd;

    snprintf(outer, sizeof(outer), "%s%s", tree->mount, group->name);
    if (tree->unified)
        enable_controllers(tree->mount);
    if (mkdir(outer, 0755) < 0)
        return error_set_errno(err, errno, "%s", outer);
    if (tree->unified) {
        enable_controllers(outer);
    } else if (tree->memory) { /* what groups below use counts here, too; newer kernels: always */
        snprintf(path, sizeof(path), "%s/memory.use_hierarchy", outer);
        (void)write_file(path, "1");
    }
    snprintf(path, sizeof(path), "%s/run", outer);
    if (mkdir(path, 0755) < 0)
        return error_set_errno(err, errno, "%s", path);
    snprintf(path, sizeof(path), "%s/run/cgroup.procs", outer);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "%s", path);
    group->joins[group->join_count++] = fd;
    return 0;
}

int cgroup_create(struct cgroup_host *host, struct cgroup *group, struct error *err)
{
    const struct cgroup_tree *memory = find_tree(host, true);
    const struct cgroup_tree *cpu = find_tree(host, false);
    int rc;

    *group = (struct cgroup){.host = host};
    snprintf(group->name, sizeof(group->name), "/" PREFIX "%d.%u", (int)getpid(), ++host->made);
    rc = make_in(memory, group, err);
    if (rc == 0 && cpu != memory)
        rc = make_in(cpu, group, err);
    if (rc < 0)
        cgroup_destroy(group);
    return rc;
}

void cgroup_destroy(struct cgroup *group)
{
    for (size_t i = 0; i < group->join_count; i++)
        close(group->joins[i]);
    for (size_t i = 0; group->host && i < group->host->tree_count; i++) {
        char path[CGROUP_PATH_SIZE + CGROUP_NAME_SIZE];

        snprintf(path, sizeof(path), "%s%s", group->host->trees[i].mount, group->name);
        if (access(path, F_OK) == 0)
            remove_group(path);
    }
    *group = (struct cgroup){0};
}

/* ---- counters -------------------------------------------------------------------------------- */

/* The number behind `key` (NULL: the file is one number) in a file of the outer group. */
static int read_number(const struct cgroup_tree *tree, const struct cgroup *group, const char *file,
                       const char *key, uint64_t *value, struct error *err)
{
    char path[PATH_MAX];
    char text[FILE_MAX];
    const char *at = text;
    char *end;
    int rc;

    snprintf(path, sizeof(path), "%s%s/%s", tree->mount, group->name, file);
    rc = read_file(path, text, err);
    if (rc < 0)
        return rc;
    if (key) {
        at = strstr(text, key);
        if (!at)
            return error_set(err, ENOENT, "%s: has no %s", path, key);
        at += strlen(key);
    }
    errno = 0;
    *value = strtoull(at, &end, 10);
    if (end == at || errno != 0)
        return error_set(err, EINVAL, "%s: holds no number", path);
    return 0;
}

int cgroup_memory_peak(const struct cgroup *group, uint64_t *bytes, struct error *err)
{
    const struct cgroup_tree *tree = find_tree(group->host, true);

    return read_number(tree, group, tree->unified ? "memory.peak" : "memory.max_usage_in_bytes",
                       NULL, bytes, err);
}

int cgroup_cpu_time(const struct cgroup *group, uint64_t *cpu_us, struct error *err)
{
    const struct cgroup_tree *tree = find_tree(group->host, false);
    int rc;

    if (tree->unified)
        return read_number(tree, group, "cpu.stat", "usage_usec", cpu_us, err);
    rc = read_number(tree, group, "cpuacct.usage", NULL, cpu_us, err);
    if (rc == 0)
        *cpu_us /= 1000;
    return rc;
}
