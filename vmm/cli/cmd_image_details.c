/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `microvm image` share; see cmd_image.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/cli/cmd_image.h"
#include "vmm/image/document.h"

#define EPOCH_YEAR 70 /* of struct tm */

int image_options_parse(const struct option_table *table, int argc, char **argv, void *target,
                        struct string_list *operands, struct error *err)
{
    int at = options_parse(table, argc, argv, target, err);

    while (at > 0 && at < argc) {
        int more;

        if (string_list_add(operands, argv[at]) < 0)
            return error_set_errno(err, ENOMEM, "%s", argv[at]);
        /* Parsing goes on behind the operand, which takes the place of the command's name. */
        more = options_parse(table, argc - at, argv + at, target, err);
        if (more <= 0)
            return more;
        at += more;
    }
    return at > 0 ? 1 : at;
}

int image_store_open(enum store_access access, struct store **store, struct error *err)
{
    AUTO_FREE char *path = NULL;
    int rc = store_default_path(&path, err);

    return rc < 0 ? rc : store_open(path, access, store, err);
}

int image_store_find(struct store *store, const char *text, const struct store_entry **entry,
                     struct error *err)
{
    struct reference reference;
    int rc = reference_parse(text, &reference, err);

    if (rc < 0)
        return rc;
    if (reference.kind == REFERENCE_PATH)
        return error_set(err, EINVAL, "'%s' is a path, not the name of an image in the store",
                         text);
    return store_resolve(store, &reference, entry, err);
}

int image_details_read(const struct store *store, const struct store_entry *entry,
                       struct image_details *details, struct error *err)
{
    AUTO_FREE char *manifest = NULL;
    AUTO_FREE char *config = NULL;
    char name[STORE_NAME_SIZE];
    struct stat status;
    size_t size;
    int rc;

    *details = (struct image_details){0};
    rc = store_read_blob(store, entry->digest, &manifest, &size, err);
    if (rc < 0)
        return rc;
    rc = manifest_parse(manifest, size, entry->digest, &details->manifest, err);
    if (rc < 0)
        return rc;
    rc = store_read_blob(store, details->manifest.config_digest, &config, &size, err);
    if (rc < 0)
        return rc;
    rc =
        document_parse(config, size, false, details->manifest.config_digest, &details->config, err);
    if (rc < 0)
        return rc;
    store_root_name(details->manifest.config_digest, ".squashfs", name);
    if (fstatat(store_directory(store), name, &status, 0) == 0)
        details->root_size = (uint64_t)status.st_size;
    else if (errno != ENOENT) /* a missing one has no size */
        return error_set_errno(err, errno, "image store %s: %s", store_path(store), name);
    return 0;
}

void image_details_release(struct image_details *details)
{
    manifest_release(&details->manifest);
    json_decref(details->config);
    details->config = NULL;
}

const char *image_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

void image_format_age(const char *created, int64_t now, char text[IMAGE_TEXT_SIZE])
{
    static const struct {
        int64_t from; /* seconds */
        int64_t unit;
        const char *name;
    } units[] = {
        {2LL * 365 * 86400, 365LL * 86400, "years"},
        {60LL * 86400, 30LL * 86400, "months"},
        {14LL * 86400, 7LL * 86400, "weeks"},
        {48LL * 3600, 86400, "days"},
        {120LL * 60, 3600, "hours"},
        {120, 60, "minutes"},
        {0, 1, "seconds"},
    };
    struct tm parts = {0};
    int64_t age;

    snprintf(text, IMAGE_TEXT_SIZE, "N/A");
    if (!strptime(created, "%Y-%m-%dT%H:%M:%S", &parts) || parts.tm_year < EPOCH_YEAR)
        return; /* Go writes 0001-01-01 where there is no date */
    age = now - timegm(&parts);
    if (age < 0) {
        snprintf(text, IMAGE_TEXT_SIZE, "in the future");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (age >= units[i].from) {
            snprintf(text, IMAGE_TEXT_SIZE, "%lld %s ago", (long long)(age / units[i].unit),
                     units[i].name);
            return;
        }
    }
}

void image_format_size(uint64_t bytes, char text[IMAGE_TEXT_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < ARRAY_LENGTH(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(text, IMAGE_TEXT_SIZE, "%.3g%s", value, units[unit]);
}

void image_split_name(const char *name, char repository[REFERENCE_TEXT_SIZE],
                      char tag[REFERENCE_TEXT_SIZE])
{
    const char *colon = strrchr(name, ':');

    if (!colon || strchr(colon, '/'))
        colon = name + strlen(name);
    snprintf(repository, REFERENCE_TEXT_SIZE, "%.*s", (int)(colon - name), name);
    snprintf(tag, REFERENCE_TEXT_SIZE, "%s", *colon ? colon + 1 : "");
    if (!repository[0])
        snprintf(repository, REFERENCE_TEXT_SIZE, "<none>");
    if (!tag[0])
        snprintf(tag, REFERENCE_TEXT_SIZE, "<none>");
}

const char *image_format_id(const char *digest, bool whole, char text[DIGEST_SIZE])
{
    if (whole)
        snprintf(text, DIGEST_SIZE, "%s", digest);
    else
        snprintf(text, DIGEST_SIZE, "%.12s", digest + DIGEST_PREFIX_LENGTH);
    return text;
}
