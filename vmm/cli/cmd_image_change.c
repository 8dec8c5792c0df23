/* SPDX-License-Identifier: Apache-2.0 */
/* `microvm image load`, `tag`, `rm` and `prune`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"
#include "vmm/cli/cmd_image.h"
#include "vmm/image/load.h"

struct change_options {
    const char *name;
    const char *input;
    uint64_t max_space;
    const char *max_ratio;
    const char *max_entries;
    const char *max_images;
    const char *max_time;
    bool force;
    bool quiet;
};

#define AT(member) offsetof(struct change_options, member)

static const struct option_row load_rows[] = {
    {'t', OPTION_TEXT, "name", "NAME[:TAG]", "name for the image (default: from the archive)",
     AT(name)},
    {'i', OPTION_TEXT, "input", "FILE", "file to load, as with docker", AT(input)},
    {'q', OPTION_FLAG, "quiet", NULL, "print nothing", AT(quiet)},
    {0, OPTION_SIZE, "max-space", "SIZE", "most disk space for the import (default: 64g)",
     AT(max_space)},
    {0, OPTION_TEXT, "max-ratio", "N",
     "most unpacked bytes per byte read, from 256 MiB on (default: 200)", AT(max_ratio)},
    {0, OPTION_TEXT, "max-entries", "N", "most entries in all archives (default: 2000000)",
     AT(max_entries)},
    {0, OPTION_TEXT, "max-images", "N", "most images (default: 100)", AT(max_images)},
    {0, OPTION_TEXT, "max-time", "SECONDS", "most time (default: 1800)", AT(max_time)},
};

static const struct option_table load_table = {
    .usage = "image load [OPTIONS] FILE|DIRECTORY|-",
    .about =
        "Loads images into the store: an OCI layout or a `docker save` archive (each as archive\n"
        "or directory), or a plain root file system (directory or tar archive). Archives may be\n"
        "compressed with gzip, zstd, xz or bzip2, and come from a pipe; '-' is standard input. Of\n"
        "several platforms, the best one for this host is loaded. Every digest is verified.",
    .rows = load_rows,
    .count = ARRAY_LENGTH(load_rows),
};

static const struct option_table tag_table = {
    .usage = "image tag IMAGE NAME[:TAG]",
    .about = "Adds a name to an image.",
};

static const struct option_row rm_rows[] = {
    {'f', OPTION_FLAG, "force", NULL, "remove an image with all its names", AT(force)},
};

static const struct option_table rm_table = {
    .usage = "image rm [OPTIONS] IMAGE...",
    .about =
        "Removes names from images. Without its last name, an image is removed; instances that\n"
        "use it keep running.",
    .rows = rm_rows,
    .count = ARRAY_LENGTH(rm_rows),
};

static const struct option_row prune_rows[] = {
    {'f', OPTION_FLAG, "force", NULL, "accepted as with docker; there is no prompt", AT(force)},
};

static const struct option_table prune_table = {
    .usage = "image prune",
    .about =
        "Removes images without a name, blobs that no image needs, and leftovers of interrupted\n"
        "imports.",
    .rows = prune_rows,
    .count = ARRAY_LENGTH(prune_rows),
};

static int parse_limits(const struct change_options *options, struct load_limits *limits,
                        struct error *err)
{
    const struct {
        const char *text;
        const char *option;
        uint64_t most;
        uint64_t *value;
    } numbers[] = {
        {options->max_ratio, "--max-ratio", UINT32_MAX, &limits->ratio},
        {options->max_entries, "--max-entries", UINT32_MAX, &limits->entries},
        {options->max_images, "--max-images", 10000, &limits->images},
        {options->max_time, "--max-time", 1000000, &limits->seconds},
    };

    if (options->max_space)
        limits->space = options->max_space;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        int rc = numbers[i].text ? parse_u64(numbers[i].text, numbers[i].option, 1, numbers[i].most,
                                             numbers[i].value, err)
                                 : 0;

        if (rc < 0)
            return rc;
    }
    return 0;
}

int image_command_load(int argc, char **argv, struct error *err)
{
    static const char *const kinds[LOAD_KINDS] = {
        [LOAD_KIND_OCI] = "OCI layout",
        [LOAD_KIND_DOCKER] = "docker archive",
        [LOAD_KIND_ROOT] = "root file system",
    };
    enum load_kind kind = LOAD_KIND_ROOT;
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STRING_LIST struct string_list ids = {0};
    AUTO_STRING_LIST struct string_list names = {0};
    AUTO_FREE char *store = NULL;
    struct change_options options = {0};
    struct load_options load = {.limits = LOAD_LIMITS_DEFAULT, .kind = &kind};
    struct reference reference;
    int rc = image_options_parse(&load_table, argc, argv, &options, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count + (options.input ? 1 : 0) != 1)
        return error_set(err, EINVAL, "image load: give one file or directory, or '-'");
    if (options.name) {
        rc = reference_parse_tagged(options.name, &reference, err);
        if (rc < 0)
            return error_wrap(err, rc, "--name");
    }
    rc = parse_limits(&options, &load.limits, err);
    if (rc < 0)
        return rc;
    rc = store_default_path(&store, err);
    if (rc < 0)
        return rc;
    load.store = store;
    load.path = options.input ? options.input : operands.items[0];
    load.name = options.name;
    rc = image_load(&load, &ids, &names, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ids.count && !options.quiet; i++) {
        if (names.items[i][0])
            printf("Loaded image: %s (%s)\n", names.items[i], kinds[kind]);
        else
            printf("Loaded image ID: %s (%s)\n", ids.items[i], kinds[kind]);
    }
    return 0;
}

int image_command_tag(int argc, char **argv, struct error *err)
{
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    const struct store_entry *entry = NULL;
    struct reference reference;
    char name[REFERENCE_TEXT_SIZE];
    char digest[DIGEST_SIZE];
    int rc = image_options_parse(&tag_table, argc, argv, NULL, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count != 2)
        return error_set(err, EINVAL, "image tag: give an image and its new name");
    rc = reference_parse_tagged(operands.items[1], &reference, err);
    if (rc < 0)
        return rc;
    rc = image_store_open(STORE_WRITE, &store, err);
    if (rc < 0)
        return rc;
    rc = image_store_find(store, operands.items[0], &entry, err);
    if (rc < 0 || !entry)
        return rc;
    reference_format(&reference, name, sizeof(name));
    memcpy(digest, entry->digest, sizeof(digest)); /* the entry does not outlive a change */
    return store_tag(store, name, digest, entry->size, err);
}

/* The number of names of this manifest. */
static size_t count_names(const struct store *store, const char *digest)
{
    size_t count = 0;

    for (size_t i = 0; i < store_count(store); i++)
        count += strcmp(store_entry(store, i)->digest, digest) == 0;
    return count;
}

/* Whether `text` is the "name[:tag]" of the image, and not a digest or an ID. */
static bool is_named(const char *text, const struct store_entry *entry)
{
    struct reference reference;
    char name[REFERENCE_TEXT_SIZE];
    struct error ignored;

    if (reference_parse(text, &reference, &ignored) < 0 || reference.kind != REFERENCE_NAME)
        return false;
    reference_format(&reference, name, sizeof(name));
    return strcmp(name, entry->name) == 0;
}

/* The image ID, or the manifest's digest when the image is damaged. */
static void find_id(const struct store *store, const struct store_entry *entry,
                    char id[DIGEST_SIZE])
{
    AUTO_IMAGE_DETAILS struct image_details details = {0};
    bool readable = image_details_read(store, entry, &details, NULL) == 0;

    memcpy(id, readable ? details.manifest.config_digest : entry->digest, DIGEST_SIZE);
}

static int remove_one(struct store *store, const char *text, bool force, struct error *err)
{
    const struct store_entry *found;
    struct store_entry entry;
    char id[DIGEST_SIZE];
    size_t names;
    bool by_name;
    int rc = image_store_find(store, text, &found, err);

    if (rc < 0)
        return rc;
    entry = *found; /* a change replaces all entries */
    find_id(store, found, id);
    names = count_names(store, entry.digest);
    by_name = !force && is_named(text, found);
    if (!by_name && names > 1 && !force)
        return error_set(err, EBUSY,
                         "image %s has %zu names; remove each of them, or all with --force", text,
                         names);
    rc = store_remove(store, by_name ? entry.name : "", entry.digest, err);
    if (rc < 0)
        return rc;
    if (by_name)
        printf("Untagged: %s\n", entry.name);
    if (!by_name || names == 1)
        printf("Deleted: %s\n", id);
    return 0;
}

int image_command_rm(int argc, char **argv, struct error *err)
{
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    struct change_options options = {0};
    struct store_pruned pruned = {0};
    int failures = 0;
    int rc = image_options_parse(&rm_table, argc, argv, &options, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count == 0)
        return error_set(err, EINVAL, "image rm: give at least one image");
    rc = image_store_open(STORE_WRITE, &store, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < operands.count; i++) {
        struct error problem = ERROR_INIT;

        if (remove_one(store, operands.items[i], options.force, &problem) < 0) {
            log_error("%s", problem.text);
            failures++;
        }
    }
    rc = store_prune(store, false, &pruned, err);
    if (rc < 0)
        return rc;
    return failures ? -EALREADY : 0;
}

int image_command_prune(int argc, char **argv, struct error *err)
{
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    struct change_options options = {0};
    struct store_pruned pruned = {0};
    char size[IMAGE_TEXT_SIZE];
    int rc = image_options_parse(&prune_table, argc, argv, &options, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count > 0)
        return error_set(err, EINVAL, "image prune: unexpected argument '%s'", operands.items[0]);
    rc = image_store_open(STORE_WRITE, &store, err);
    if (rc < 0)
        return rc;
    rc = store_prune(store, true, &pruned, err);
    if (rc < 0)
        return rc;
    image_format_size(pruned.bytes, size);
    printf("Total reclaimed space: %s\n", size);
    return 0;
}
