/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the mounts of a container: docker's own, the bundle's files, --tmpfs, volumes. */
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

const char *const bundle_bound_files[BUNDLE_BOUND_FILES] = {"hosts", "hostname", "resolv.conf"};

/* Takes over `options`. */
static json_t *make_mount(const char *destination, const char *type, const char *source,
                          json_t *options)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type, "source",
                     source, "options", options);
}

static size_t depth(const json_t *mount)
{
    const char *path = json_string_value(json_object_get(mount, "destination"));
    size_t count = 0;

    for (; path && *path; path += strcspn(path, "/")) {
        path += strspn(path, "/");
        count += *path != '\0';
    }
    return count;
}

/*
 * Takes over `mount`, and puts it behind all that are not deeper, but for the fixed ones: as with
 * docker /etc/hosts is seen on a tmpfs at /etc, and where a link leads that is on one.
 */
static int add_mount(json_t *mounts, json_t *mount)
{
    size_t at = json_array_size(mounts);

    while (at > ARRAY_LENGTH(fixed_mounts) && depth(json_array_get(mounts, at - 1)) > depth(mount))
        at--;
    return json_array_insert_new(mounts, at, mount);
}

static int add_bound_files(json_t *mounts, const struct bundle_options *options)
{
    static const char *const writable[] = {"rbind", "rprivate", NULL};
    static const char *const read_only[] = {"rbind", "rprivate", "ro", NULL};

    for (size_t i = 0; i < BUNDLE_BOUND_FILES; i++) {
        AUTO_FREE char *source = NULL;
        AUTO_FREE char *destination = NULL;

        if (asprintf(&source, "%s/%s", options->bundle_path, bundle_bound_files[i]) < 0 ||
            asprintf(&destination, "/etc/%s", bundle_bound_files[i]) < 0 ||
            add_mount(mounts,
                      make_mount(destination, "bind", source,
                                 json_from_strings(options->read_only ? read_only : writable))) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_program(json_t *mounts, const struct bundle_options *options)
{
    static const char *const flags[] = {"rbind", "rprivate", "ro", "nosuid", "nodev", NULL};
    AUTO_FREE char *source = NULL;

    if (!options->program)
        return 0;
    if (asprintf(&source, "%s/program", options->bundle_path) < 0 ||
        add_mount(mounts,
                  make_mount(BUNDLE_PROGRAM_PATH, "bind", source, json_from_strings(flags))) < 0)
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
    json_t *data;
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
        return json_array_append_new(options->data, json_string(text)) < 0
                   ? error_set_errno(err, ENOMEM, "--tmpfs")
                   : 0;
    }
    return error_set(err, EINVAL, "--tmpfs: unknown option '%s'", text);
}

/* Parses "PATH[:OPTION,OPTION…]"; *data is the list of mount options. */
static int parse_tmpfs(char *text, json_t *data, struct error *err)
{
    struct tmpfs_options options = {{"noexec", "nosuid", "nodev", NULL, NULL}, data};
    char *rest = strchr(text, ':');
    char *option;

    if (rest)
        *rest++ = '\0';
    if (text[0] != '/' || text[strspn(text, "/")] == '\0')
        return error_set(err, EINVAL, "--tmpfs: '%s' is not an absolute path below /", text);
    while ((option = strsep(&rest, ","))) {
        int rc = *option ? set_option(&options, option, err) : 0;

        if (rc < 0)
            return rc;
    }
    for (size_t i = ARRAY_LENGTH(flag_pairs); i-- > 0;) {
        if (options.flags[i] && json_array_insert_new(data, 0, json_string(options.flags[i])) < 0)
            return error_set_errno(err, ENOMEM, "--tmpfs");
    }
    return 0;
}

static int add_tmpfs(json_t *mounts, const char *text, struct error *err)
{
    AUTO_FREE char *copy = strdup(text);
    json_t *data = json_array();
    int rc = copy && data ? parse_tmpfs(copy, data, err) : error_set_errno(err, ENOMEM, "--tmpfs");

    if (rc < 0) {
        json_decref(data);
        return rc;
    }
    if (add_mount(mounts, make_mount(copy, "tmpfs", "tmpfs", data)) < 0)
        return error_set_errno(err, ENOMEM, "--tmpfs");
    return 0;
}

/* Is `path` the destination of a mount already? */
static bool is_mounted(const json_t *mounts, const char *path)
{
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const char *destination =
            json_string_value(json_object_get(json_array_get(mounts, i), "destination"));

        if (strcmp(destination, path) == 0)
            return true;
    }
    return false;
}

/*
 * docker makes a volume for each VOLUME of an image. With a writable root it is as good as a part
 * of the root; under --read-only it must stay writable, with what the image has there.
 */
static int add_volumes(json_t *mounts, const struct image_config *config,
                       const struct bundle_options *options)
{
    static const char *const seeded[] = {"nosuid", "nodev", "tmpcopyup", NULL};

    for (size_t i = 0; options->read_only && i < config->volumes.count; i++) {
        const char *path = config->volumes.items[i];

        if (!is_mounted(mounts, path) &&
            add_mount(mounts, make_mount(path, "tmpfs", "tmpfs", json_from_strings(seeded))) < 0)
            return -ENOMEM;
    }
    return 0;
}

static json_t *fixed_options(const struct fixed_mount *mount, const struct bundle_options *options)
{
    json_t *array = json_array();

    for (const char *const *option = mount->options; *option; option++)
        if (options->group_count != 1 || strncmp(*option, "gid=", 4) != 0)
            json_array_append_new(array, json_string(*option));
    return array;
}

/* What these kinds of file systems hold is not the image's. /proc and /sys themselves must be real
 * directories of the image: that is for the runtime to see. */
static bool is_made_by_runtime(const char *path)
{
    return strncmp(path, "/proc", 5) == 0 || strncmp(path, "/sys", 4) == 0 ||
           strncmp(path, "/dev/", 5) == 0;
}

int bundle_make_targets(const json_t *mounts, char **text, size_t *size)
{
    FILE *file = open_memstream(text, size);

    if (!file)
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const json_t *mount = json_array_get(mounts, i);
        const char *path = json_string_value(json_object_get(mount, "destination"));
        const char *type = json_string_value(json_object_get(mount, "type"));

        if (!is_made_by_runtime(path))
            fprintf(file, "%c%s%c",
                    strcmp(type, "bind") == 0 ? PROTOCOL_TARGET_FILE : PROTOCOL_TARGET_DIRECTORY,
                    path, '\0');
    }
    return fclose(file) == 0 ? 0 : -ENOMEM;
}

int bundle_make_mounts(const struct image_config *config, const struct bundle_options *options,
                       json_t **mounts, struct error *err)
{
    json_t *array = json_array();
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(fixed_mounts); i++) {
        const struct fixed_mount *mount = &fixed_mounts[i];

        json_array_append_new(array, make_mount(mount->destination, mount->type, mount->source,
                                                fixed_options(mount, options)));
    }
    if (json_array_size(array) != ARRAY_LENGTH(fixed_mounts) ||
        add_bound_files(array, options) < 0 || add_program(array, options) < 0)
        rc = error_set_errno(err, ENOMEM, "bundle");
    for (size_t i = 0; rc == 0 && i < options->tmpfs.count; i++)
        rc = add_tmpfs(array, options->tmpfs.items[i], err);
    if (rc == 0 && add_volumes(array, config, options) < 0)
        rc = error_set_errno(err, ENOMEM, "bundle");
    if (rc < 0) {
        json_decref(array);
        return rc;
    }
    *mounts = array;
    return 0;
}
