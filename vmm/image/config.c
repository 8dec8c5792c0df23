/* SPDX-License-Identifier: Apache-2.0 */
/* Parse an image's config (OCI image specification, config.md). */
#include "vmm/image/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/image/document.h"

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int parse_volumes(const json_t *config, const char *what, struct string_list *volumes,
                         struct error *err)
{
    json_t *object;
    const char *path;
    json_t *ignored;
    int rc = document_object(config, "Volumes", what, &object, err);

    if (rc < 0)
        return rc;
    json_object_foreach(object, path, ignored)
    {
        if (path[0] != '/')
            return error_set(err, EBADMSG, "%s: volume '%s' is not an absolute path", what, path);
        if (string_list_add(volumes, path) < 0)
            return error_set_errno(err, ENOMEM, "%s", what);
    }
    if (volumes->count > 0)
        qsort(volumes->items, volumes->count, sizeof(*volumes->items), compare_strings);
    return 0;
}

static int parse_diff_ids(const json_t *root, const char *what, struct string_list *diff_ids,
                          struct error *err)
{
    json_t *rootfs;
    int rc = document_object(root, "rootfs", what, &rootfs, err);

    if (rc < 0)
        return rc;
    rc = document_strings(rootfs, "diff_ids", what, diff_ids, err);
    if (rc < 0)
        return rc;
    if (diff_ids->count > CONFIG_LAYERS_MAX)
        return error_set(err, EBADMSG, "%s: more than %d layers", what, CONFIG_LAYERS_MAX);
    for (size_t i = 0; i < diff_ids->count; i++) {
        if (!digest_is_known(diff_ids->items[i]))
            return error_set(err, EBADMSG, "%s: diff_id '%.80s' is not a sha256 or sha512 digest",
                             what, diff_ids->items[i]);
    }
    return 0;
}

/* The fields that say what to run. */
static int parse_run(const json_t *run, const char *what, struct image_config *config,
                     struct error *err)
{
    int rc = document_string(run, "User", what, &config->user, err);

    if (rc < 0)
        return rc;
    rc = document_string(run, "WorkingDir", what, &config->working_dir, err);
    if (rc < 0)
        return rc;
    rc = document_string(run, "StopSignal", what, &config->stop_signal, err);
    if (rc < 0)
        return rc;
    rc = document_strings(run, "Entrypoint", what, &config->entrypoint, err);
    if (rc < 0)
        return rc;
    rc = document_strings(run, "Cmd", what, &config->cmd, err);
    if (rc < 0)
        return rc;
    rc = document_strings(run, "Env", what, &config->env, err);
    if (rc < 0)
        return rc;
    return parse_volumes(run, what, &config->volumes, err);
}

static int parse_fields(const json_t *root, const char *what, struct image_config *config,
                        struct error *err)
{
    json_t *run;
    int rc = document_object(root, "config", what, &run, err);

    if (rc < 0)
        return rc;
    rc = document_string(root, "architecture", what, &config->platform.architecture, err);
    if (rc < 0)
        return rc;
    rc = document_string(root, "os", what, &config->platform.os, err);
    if (rc < 0)
        return rc;
    rc = parse_run(run, what, config, err);
    if (rc < 0)
        return rc;
    return parse_diff_ids(root, what, &config->diff_ids, err);
}

int config_parse(const char *text, size_t size, const char *what, struct image_config *config,
                 struct error *err)
{
    AUTO_JSON json_t *root = NULL;
    int rc = document_parse(text, size, false, what, &root, err);

    *config = (struct image_config){0};
    if (rc < 0)
        return rc;
    rc = parse_fields(root, what, config, err);
    if (rc < 0)
        config_release(config);
    return rc;
}

void config_release(struct image_config *config)
{
    platform_release(&config->platform);
    free(config->user);
    free(config->working_dir);
    free(config->stop_signal);
    string_list_release(&config->entrypoint);
    string_list_release(&config->cmd);
    string_list_release(&config->env);
    string_list_release(&config->volumes);
    string_list_release(&config->diff_ids);
    *config = (struct image_config){0};
}

int config_check_platform(const struct image_config *config, const char *what, struct error *err)
{
    const char *host = platform_host_architecture();
    /* The processor's level is not checked here, same as in docker. */
    const struct platform platform = {.os = config->platform.os,
                                      .architecture = config->platform.architecture};
    char text[PLATFORM_TEXT_SIZE];

    if (platform_rank(&platform, host, 1) < 0)
        return error_set(err, ENOEXEC,
                         "%s: the image is for %s and this host is linux/%s; get the image built "
                         "for that",
                         what, platform_format(&platform, text), host);
    return 0;
}
