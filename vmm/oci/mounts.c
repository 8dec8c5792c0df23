/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a container: docker's own, the bundle's files, volumes. */
#include "vmm/oci/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/protocol.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/oci/mounts_private.h"

#define OPTIONS_MAX 9

struct default_mount {
    const char *destination;
    const char *type;
    const char *source;
    const char *options[OPTIONS_MAX];
};

static const struct default_mount default_mounts[] = {
    {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
    {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
    {"/dev/pts",
     "devpts",
     "devpts",
     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
    {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
    {"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}},
    {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
    {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=67108864"}},
};

static const char *const bound_files[] = {"hosts", "hostname", "resolv.conf"};

static size_t depth(const char *path)
{
    size_t count = 0;

    for (; *path; path += strcspn(path, "/")) {
        path += strspn(path, "/");
        count += *path != '\0';
    }
    return count;
}

void oci_path_clean(char *path)
{
    char *end = path; /* of what is done: "" or "/a/b" */
    const char *at = path;

    while (*(at += strspn(at, "/"))) {
        size_t length = strcspn(at, "/");

        if (length == 2 && at[0] == '.' && at[1] == '.') {
            while (end > path && *--end != '/')
                ;
        } else if (length != 1 || at[0] != '.') {
            *end++ = '/';
            memmove(end, at, length);
            end += length;
        }
        at += length;
    }
    if (end == path)
        *end++ = '/';
    *end = '\0';
}

int oci_mounts_add(struct oci_mounts *mounts, const char *destination, const char *type,
                   const char *source, struct string_list *options)
{
    struct oci_mount *items = realloc(mounts->items, (mounts->count + 1) * sizeof(*items));
    AUTO_FREE char *destination_copy = strdup(destination);
    AUTO_FREE char *source_copy = strdup(source);
    size_t at = mounts->count;

    if (items)
        mounts->items = items;
    if (!items || !destination_copy || !source_copy)
        return -ENOMEM;
    for (;
         at > ARRAY_LENGTH(default_mounts) && depth(items[at - 1].destination) > depth(destination);
         at--)
        items[at] = items[at - 1];
    items[at] = (struct oci_mount){
        .destination = steal_pointer(destination_copy),
        .type = type,
        .source = steal_pointer(source_copy),
        .options = *options,
    };
    *options = (struct string_list){0};
    mounts->count++;
    return 0;
}

/* The same with options that are known beforehand; null at the end. */
static int add_mount(struct oci_mounts *mounts, const char *destination, const char *type,
                     const char *source, const char *const *options)
{
    AUTO_STRING_LIST struct string_list copies = {0};

    for (; *options; options++)
        if (string_list_add(&copies, *options) < 0)
            return -ENOMEM;
    return oci_mounts_add(mounts, destination, type, source, &copies);
}

int oci_mounts_add_defaults(struct oci_mounts *mounts)
{
    for (size_t i = 0; i < ARRAY_LENGTH(default_mounts); i++) {
        const struct default_mount *mount = &default_mounts[i];

        if (add_mount(mounts, mount->destination, mount->type, mount->source, mount->options) < 0)
            return -ENOMEM;
    }
    return 0;
}

int oci_mounts_add_files(struct oci_mounts *mounts, bool read_only)
{
    static const char *const writable_options[] = {"rbind", "rprivate", NULL};
    static const char *const read_only_options[] = {"rbind", "rprivate", "ro", NULL};

    for (size_t i = 0; i < ARRAY_LENGTH(bound_files); i++) {
        char destination[32];

        snprintf(destination, sizeof(destination), "/etc/%s", bound_files[i]);
        if (add_mount(mounts, destination, "bind", bound_files[i],
                      read_only ? read_only_options : writable_options) < 0)
            return -ENOMEM;
    }
    return 0;
}

int oci_mounts_add_program(struct oci_mounts *mounts)
{
    static const char *const options[] = {"rbind", "rprivate", "ro", "nosuid", "nodev", NULL};

    return add_mount(mounts, OCI_PROGRAM_PATH, "bind", "program", options);
}

static bool is_mounted(const struct oci_mounts *mounts, const char *path)
{
    for (size_t i = 0; i < mounts->count; i++)
        if (strcmp(mounts->items[i].destination, path) == 0)
            return true;
    return false;
}

int oci_mounts_add_volumes(struct oci_mounts *mounts, const struct string_list *paths)
{
    static const char *const seeded[] = {"nosuid", "nodev", "tmpcopyup", NULL};

    for (size_t i = 0; i < paths->count; i++) {
        AUTO_FREE char *path = strdup(paths->items[i]);

        if (!path)
            return -ENOMEM;
        oci_path_clean(path);
        if (strcmp(path, "/") != 0 && !is_mounted(mounts, path) &&
            add_mount(mounts, path, "tmpfs", "tmpfs", seeded) < 0)
            return -ENOMEM;
    }
    return 0;
}

int oci_mounts_set_bundle(struct oci_mounts *mounts, const char *directory)
{
    for (size_t i = 0; i < mounts->count; i++) {
        struct oci_mount *mount = &mounts->items[i];
        char *absolute;

        if (strcmp(mount->type, "bind") != 0 || mount->source[0] == '/')
            continue;
        if (asprintf(&absolute, "%s/%s", directory, mount->source) < 0)
            return -ENOMEM;
        free(mount->source);
        mount->source = absolute;
    }
    return 0;
}

void oci_mounts_drop_groups(struct oci_mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++)
        string_list_remove_prefix(&mounts->items[i].options, "gid=");
}

/* What these kinds of file systems hold is not the image's. /proc and /sys themselves must be real
 * directories of the image: that is for the runtime to see. */
static bool is_made_by_runtime(const char *path)
{
    static const char *const tops[] = {"/proc", "/sys", "/dev"};

    for (size_t i = 0; i < ARRAY_LENGTH(tops); i++) {
        size_t length = strlen(tops[i]);

        if (strncmp(path, tops[i], length) == 0 && (path[length] == '/' || path[length] == '\0'))
            return strcmp(path, "/dev") != 0;
    }
    return false;
}

int oci_mounts_list_targets(const struct oci_mounts *mounts, char **text, size_t *size)
{
    FILE *file = open_memstream(text, size);

    if (!file)
        return -ENOMEM;
    for (size_t i = 0; i < mounts->count; i++) {
        const struct oci_mount *mount = &mounts->items[i];
        bool is_file = strcmp(mount->type, "bind") == 0;

        if (!is_made_by_runtime(mount->destination))
            fprintf(file, "%c%s%c", is_file ? PROTOCOL_TARGET_FILE : PROTOCOL_TARGET_DIRECTORY,
                    mount->destination, '\0');
    }
    return fclose(file) == 0 ? 0 : -ENOMEM;
}

void oci_mounts_release(struct oci_mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        free(mounts->items[i].destination);
        free(mounts->items[i].source);
        string_list_release(&mounts->items[i].options);
    }
    free(mounts->items);
    *mounts = (struct oci_mounts){0};
}
