/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a container: docker's own, the bundle's files, --tmpfs, volumes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/protocol.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/parse.h"
#include "vmm/oci/bundle_private.h"

#define OPTIONS_MAX 9

struct fixed_mount {
    const char *destination;
    const char *type;
    const char *source;
    const char *options[OPTIONS_MAX];
};

static const struct fixed_mount fixed_mounts[] = {
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

/*
 * Puts a mount behind all that are not deeper: as with docker /etc/hosts is seen on a tmpfs at
 * /etc, and where a link leads that is on one. The fixed ones come before all of these. Takes over
 * `options`, and frees them when it fails.
 */
static int add_mount(struct bundle_mounts *mounts, const char *destination, const char *type,
                     const char *source, struct string_list options)
{
    struct bundle_mount *items = realloc(mounts->items, (mounts->count + 1) * sizeof(*items));
    struct bundle_mount mount = {.type = type, .options = options};
    size_t at = mounts->count;

    if (items)
        mounts->items = items;
    mount.destination = items ? strdup(destination) : NULL;
    mount.source = mount.destination ? strdup(source) : NULL;
    if (!mount.source) {
        free(mount.destination);
        string_list_release(&options);
        return -ENOMEM;
    }
    for (; at > 0 && depth(items[at - 1].destination) > depth(destination); at--)
        items[at] = items[at - 1];
    items[at] = mount;
    mounts->count++;
    return 0;
}

/* The same with options that are known beforehand; null at the end. */
static int add_plain_mount(struct bundle_mounts *mounts, const char *destination, const char *type,
                           const char *source, const char *const *options)
{
    struct string_list copies = {0};

    for (; *options; options++) {
        if (string_list_add(&copies, *options) < 0) {
            string_list_release(&copies);
            return -ENOMEM;
        }
    }
    return add_mount(mounts, destination, type, source, copies);
}

static int add_bound_files(struct bundle_mounts *mounts, const struct bundle_options *options)
{
    static const char *const writable[] = {"rbind", "rprivate", NULL};
    static const char *const read_only[] = {"rbind", "rprivate", "ro", NULL};

    for (size_t i = 0; i < ARRAY_LENGTH(bound_files); i++) {
        AUTO_FREE char *source = NULL;
        AUTO_FREE char *destination = NULL;

        if (asprintf(&source, "%s/%s", options->bundle_path, bound_files[i]) < 0 ||
            asprintf(&destination, "/etc/%s", bound_files[i]) < 0 ||
            add_plain_mount(mounts, destination, "bind", source,
                            options->read_only ? read_only : writable) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_program(struct bundle_mounts *mounts, const struct bundle_options *options)
{
    static const char *const flags[] = {"rbind", "rprivate", "ro", "nosuid", "nodev", NULL};
    AUTO_FREE char *source = NULL;

    if (!options->program)
        return 0;
    if (asprintf(&source, "%s/program", options->bundle_path) < 0 ||
        add_plain_mount(mounts, BUNDLE_PROGRAM_PATH, "bind", source, flags) < 0)
        return -ENOMEM;
    return 0;
}

/* Flags of --tmpfs come in pairs: the later of a pair counts. */
static const char *const flag_pairs[][2] = {
    {"noexec", "exec"}, {"nosuid", "suid"}, {"nodev", "dev"}, {"rw", "ro"}, {"async", "sync"},
};

struct tmpfs_options {
    const char
        *flags[ARRAY_LENGTH(flag_pairs)]; /* docker's defaults: the first three of the left */
    struct string_list data;
};

static bool set_flag(struct tmpfs_options *options, const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(flag_pairs); i++) {
        for (size_t side = 0; side < 2; side++) {
            if (strcmp(text, flag_pairs[i][side]) == 0) {
                options->flags[i] = flag_pairs[i][side];
                return true;
            }
        }
    }
    return false;
}

static int check_number(const char *key, const char *value, struct error *err)
{
    char what[32];
    uint64_t number;
    char *end;

    snprintf(what, sizeof(what), "--tmpfs %s", key);
    if (strcmp(key, "size") == 0)
        return value[0] && value[strlen(value) - 1] == '%' ? 0
                                                           : parse_size(value, what, &number, err);
    if (strcmp(key, "mode") == 0) {
        strtoul(value, &end, 8);
        return value[0] && !*end && strlen(value) <= 5
                   ? 0
                   : error_set(err, EINVAL, "--tmpfs mode: '%s' is not an octal number", value);
    }
    return parse_u64(value, what, 0, UINT32_MAX, &number, err);
}

static int set_option(struct tmpfs_options *options, char *text, struct error *err)
{
    static const char *const keys[] = {"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks"};
    char *equals = strchr(text, '=');
    int rc;

    if (!equals && set_flag(options, text))
        return 0;
    for (size_t i = 0; equals && i < ARRAY_LENGTH(keys); i++) {
        if (strlen(keys[i]) != (size_t)(equals - text) ||
            strncmp(keys[i], text, strlen(keys[i])) != 0)
            continue;
        rc = check_number(keys[i], equals + 1, err);
        if (rc < 0)
            return rc;
        return string_list_add(&options->data, text) < 0 ? error_set_errno(err, ENOMEM, "--tmpfs")
                                                         : 0;
    }
    return error_set(err, EINVAL, "--tmpfs: unknown option '%s'", text);
}

/* Parses "PATH[:OPTION,OPTION…]"; *list gets the mount options, flags first. */
static int parse_tmpfs(char *text, struct string_list *list, struct error *err)
{
    struct tmpfs_options options = {{"noexec", "nosuid", "nodev", NULL, NULL}, {0}};
    char *rest = strchr(text, ':');
    char *option;
    int rc = 0;

    if (rest)
        *rest++ = '\0';
    if (text[0] != '/' || text[strspn(text, "/")] == '\0')
        return error_set(err, EINVAL, "--tmpfs: '%s' is not an absolute path below /", text);
    while (rc == 0 && (option = strsep(&rest, ",")))
        rc = *option ? set_option(&options, option, err) : 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LENGTH(flag_pairs); i++) {
        if (options.flags[i] && string_list_add(list, options.flags[i]) < 0)
            rc = error_set_errno(err, ENOMEM, "--tmpfs");
    }
    if (rc == 0 && string_list_add_all(list, &options.data) < 0)
        rc = error_set_errno(err, ENOMEM, "--tmpfs");
    string_list_release(&options.data);
    return rc;
}

static int add_tmpfs(struct bundle_mounts *mounts, const char *text, struct error *err)
{
    AUTO_FREE char *copy = strdup(text);
    struct string_list options = {0};
    int rc;

    if (!copy)
        return error_set_errno(err, ENOMEM, "--tmpfs");
    rc = parse_tmpfs(copy, &options, err);
    if (rc < 0) {
        string_list_release(&options);
        return rc;
    }
    if (add_mount(mounts, copy, "tmpfs", "tmpfs", options) < 0)
        return error_set_errno(err, ENOMEM, "--tmpfs");
    return 0;
}

/* Is `path` the destination of a mount already? */
static bool is_mounted(const struct bundle_mounts *mounts, const char *path)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fixed_mounts); i++)
        if (strcmp(fixed_mounts[i].destination, path) == 0)
            return true;
    for (size_t i = 0; i < mounts->count; i++)
        if (strcmp(mounts->items[i].destination, path) == 0)
            return true;
    return false;
}

/*
 * docker makes a volume for each VOLUME of an image. With a writable root it is as good as a part
 * of the root; under --read-only it must stay writable, with what the image has there.
 */
static int add_volumes(struct bundle_mounts *mounts, const struct image_config *config,
                       const struct bundle_options *options)
{
    static const char *const seeded[] = {"nosuid", "nodev", "tmpcopyup", NULL};

    for (size_t i = 0; options->read_only && i < config->volumes.count; i++) {
        const char *path = config->volumes.items[i];

        if (!is_mounted(mounts, path) &&
            add_plain_mount(mounts, path, "tmpfs", "tmpfs", seeded) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* What these kinds of file systems hold is not the image's. /proc and /sys themselves must be real
 * directories of the image: that is for the runtime to see. */
static bool is_made_by_runtime(const char *path)
{
    return strncmp(path, "/proc", 5) == 0 || strncmp(path, "/sys", 4) == 0 ||
           strncmp(path, "/dev/", 5) == 0;
}

static void write_target(FILE *file, const char *path, const char *type)
{
    if (!is_made_by_runtime(path))
        fprintf(file, "%c%s%c",
                strcmp(type, "bind") == 0 ? PROTOCOL_TARGET_FILE : PROTOCOL_TARGET_DIRECTORY, path,
                '\0');
}

int bundle_make_targets(const struct bundle_mounts *mounts, char **text, size_t *size)
{
    FILE *file = open_memstream(text, size);

    if (!file)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LENGTH(fixed_mounts); i++)
        write_target(file, fixed_mounts[i].destination, fixed_mounts[i].type);
    for (size_t i = 0; i < mounts->count; i++)
        write_target(file, mounts->items[i].destination, mounts->items[i].type);
    return fclose(file) == 0 ? 0 : -ENOMEM;
}

/* All of a mount but its options. */
static void write_mount(FILE *file, const char *destination, const char *type, const char *source)
{
    fputs("{\"destination\":", file);
    json_write_string(file, destination);
    fputs(",\"type\":", file);
    json_write_string(file, type);
    fputs(",\"source\":", file);
    json_write_string(file, source);
    fputs(",\"options\":", file);
}

static void write_fixed_mount(FILE *file, const struct fixed_mount *mount, bool one_group)
{
    const char *options[OPTIONS_MAX + 1] = {NULL};
    size_t count = 0;

    for (const char *const *option = mount->options; *option; option++)
        if (!one_group || strncmp(*option, "gid=", 4) != 0)
            options[count++] = *option;
    write_mount(file, mount->destination, mount->type, mount->source);
    json_write_strings(file, options);
    fputs("}", file);
}

void bundle_write_mounts(FILE *file, const struct bundle_mounts *mounts,
                         const struct bundle_options *options)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fixed_mounts); i++) {
        fputs(i == 0 ? "[" : ",", file);
        write_fixed_mount(file, &fixed_mounts[i], options->group_count == 1);
    }
    for (size_t i = 0; i < mounts->count; i++) {
        const struct bundle_mount *mount = &mounts->items[i];

        fputs(",", file);
        write_mount(file, mount->destination, mount->type, mount->source);
        json_write_strings(file, (const char *const *)mount->options.items);
        fputs("}", file);
    }
    fputs("]", file);
}

int bundle_make_mounts(const struct image_config *config, const struct bundle_options *options,
                       struct bundle_mounts *mounts, struct error *err)
{
    int rc = 0;

    if (add_bound_files(mounts, options) < 0 || add_program(mounts, options) < 0)
        rc = error_set_errno(err, ENOMEM, "bundle");
    for (size_t i = 0; rc == 0 && i < options->tmpfs.count; i++)
        rc = add_tmpfs(mounts, options->tmpfs.items[i], err);
    if (rc == 0 && add_volumes(mounts, config, options) < 0)
        rc = error_set_errno(err, ENOMEM, "bundle");
    return rc;
}

void bundle_release_mounts(struct bundle_mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        free(mounts->items[i].destination);
        free(mounts->items[i].source);
        string_list_release(&mounts->items[i].options);
    }
    free(mounts->items);
    *mounts = (struct bundle_mounts){0};
}
