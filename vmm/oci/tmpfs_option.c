/* SPDX-License-Identifier: Apache-2.0 */
/* --tmpfs: what docker's option means, as a mount. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/parse.h"
#include "vmm/base/utf8.h"
#include "vmm/oci/mounts_private.h"

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

/* Parses "PATH[:OPTION,OPTION...]", and makes `text` the path. */
static int parse_tmpfs(char *text, struct tmpfs_options *options, struct error *err)
{
    char *rest = strchr(text, ':');
    char *option;

    if (rest)
        *rest++ = '\0';
    if (text[0] != '/')
        return error_set(err, EINVAL, "--tmpfs: '%s' is not an absolute path", text);
    oci_path_clean(text);
    if (strcmp(text, "/") == 0)
        return error_set(err, EINVAL, "--tmpfs: the root directory itself cannot be mounted on");
    while ((option = strsep(&rest, ","))) {
        int rc = *option ? set_option(options, option, err) : 0;

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Its mount options, flags first. */
static int list_options(const struct tmpfs_options *options, struct string_list *list)
{
    for (size_t i = 0; i < ARRAY_LENGTH(flag_pairs); i++)
        if (options->flags[i] && string_list_add(list, options->flags[i]) < 0)
            return -ENOMEM;
    return string_list_add_all(list, &options->data);
}

int oci_mounts_add_tmpfs(struct oci_mounts *mounts, const char *text, struct error *err)
{
    AUTO_FREE char *path = strdup(text);
    AUTO_STRING_LIST struct string_list list = {0};
    struct tmpfs_options options = {{"noexec", "nosuid", "nodev", NULL, NULL}, {0}};
    int rc = utf8_check(text, "--tmpfs", err);

    if (rc < 0)
        return rc;
    if (!path)
        return error_set_errno(err, ENOMEM, "--tmpfs");
    rc = parse_tmpfs(path, &options, err);
    if (rc == 0 && (list_options(&options, &list) < 0 ||
                    oci_mounts_add(mounts, path, "tmpfs", "tmpfs", &list) < 0))
        rc = error_set_errno(err, ENOMEM, "--tmpfs");
    string_list_release(&options.data);
    return rc;
}
