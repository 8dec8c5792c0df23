/* SPDX-License-Identifier: Apache-2.0 */
/* `microvm image ls`, `inspect` and `history`, with docker's columns and fields. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/json.h"
#include "vmm/base/log.h"
#include "vmm/base/table.h"
#include "vmm/base/text.h"
#include "vmm/cli/cmd_image.h"
#include "vmm/image/document.h"

struct show_options {
    bool quiet;
    bool no_trunc;
    const char *format;
};

#define AT(member) offsetof(struct show_options, member)

static const struct option_row show_rows[] = {
    {'q', OPTION_FLAG, "quiet", NULL, "show IDs only", AT(quiet)},
    {0, OPTION_FLAG, "no-trunc", NULL, "do not shorten IDs and commands", AT(no_trunc)},
    {0, OPTION_TEXT, "format", "table|json", "a table (default) or one JSON object a line",
     AT(format)},
};

static const struct option_table ls_table = {
    .usage = "image ls [OPTIONS] [NAME]",
    .about = "Lists the stored images, or those of one name (with any tag, or with one tag).\n"
             "SIZE is the size of the stored root file system, which is compressed.",
    .rows = show_rows,
    .count = ARRAY_LENGTH(show_rows),
};

static const struct option_table history_table = {
    .usage = "image history [OPTIONS] IMAGE",
    .about =
        "Shows how an image was made, newest step first. SIZE is the size of the stored layer.",
    .rows = show_rows,
    .count = ARRAY_LENGTH(show_rows),
};

static const struct option_table inspect_table = {
    .usage = "image inspect IMAGE...",
    .about = "Shows details of images as a JSON array.",
};

static int parse_format(const struct show_options *options, bool *as_json, struct error *err)
{
    *as_json = options->format && strcmp(options->format, "json") == 0;
    if (options->format && !*as_json && strcmp(options->format, "table") != 0)
        return error_set(err, EINVAL, "--format: '%s' is unknown; use table or json",
                         options->format);
    return 0;
}

static int print_json(json_t *value, size_t flags, struct error *err)
{
    AUTO_JSON json_t *owned = value;

    return json_write(owned, flags, stdout, err);
}

/* Without `wanted` every image is shown; "name" shows all its tags. */
static bool is_wanted(const char *wanted, const char *name)
{
    size_t length = wanted ? strlen(wanted) : 0;

    return !wanted || strcmp(wanted, name) == 0 ||
           (strncmp(wanted, name, length) == 0 && name[length] == ':' &&
            !strchr(name + length, '/'));
}

static void add_cells(struct table *table, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        table_add(table, "%s", cells[i]);
}

static int list_entry(const struct store *store, const struct store_entry *entry,
                      const struct show_options *options, bool as_json, struct table *table,
                      struct error *err)
{
    char repository[REFERENCE_TEXT_SIZE];
    char tag[REFERENCE_TEXT_SIZE];
    char age[IMAGE_TEXT_SIZE];
    char size[IMAGE_TEXT_SIZE];
    char id[DIGEST_SIZE];
    AUTO_IMAGE_DETAILS struct image_details details = {0};
    int rc = image_details_read(store, entry, &details, err);

    if (rc < 0)
        return error_wrap(err, rc, "%s", entry->name[0] ? entry->name : entry->digest);
    image_split_name(entry->name, repository, tag);
    image_format_age(image_json_text(details.config, "created"), time(NULL), age);
    image_format_size(details.root_size, size);
    image_format_id(details.manifest.config_digest, options->no_trunc, id);
    if (as_json)
        return print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Repository", repository,
                                    "Tag", tag, "ID", id, "Digest", entry->digest, "CreatedAt",
                                    image_json_text(details.config, "created"), "CreatedSince", age,
                                    "Size", size),
                          JSON_COMPACT, err);
    if (options->quiet)
        puts(id);
    else
        add_cells(table, (const char *[]){repository, tag, id, age, size}, table->column_count);
    return 0;
}

int image_command_ls(int argc, char **argv, struct error *err)
{
    static const struct table_column columns[] = {
        {"REPOSITORY", TABLE_LEFT, 28}, {"TAG", TABLE_LEFT, 12}, {"IMAGE ID", TABLE_LEFT, 12},
        {"CREATED", TABLE_LEFT, 16},    {"SIZE", TABLE_LEFT, 0},
    };
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};
    struct show_options options = {0};
    bool as_json = false;
    int rc = image_options_parse(&ls_table, argc, argv, &options, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count > 1)
        return error_set(err, EINVAL, "image ls: give at most one name");
    rc = parse_format(&options, &as_json, err);
    if (rc < 0)
        return rc;
    rc = image_store_open(STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < store_count(store); i++) {
        const struct store_entry *entry = store_entry(store, i);

        if (!is_wanted(operands.count ? operands.items[0] : NULL, entry->name))
            continue;
        /* A damaged image does not hide the others. */
        if (list_entry(store, entry, &options, as_json, &table, err) < 0) {
            log_error("%s", err->text);
            rc = -EALREADY;
        }
    }
    if (!options.quiet && !as_json && table_write(&table, stdout) < 0)
        return error_set_errno(err, ENOMEM, "image ls");
    return rc;
}

/* All names of the manifest, and their "name@digest". */
static json_t *collect_names(const struct store *store, const char *digest, bool digests)
{
    json_t *names = json_array();

    for (size_t i = 0; i < store_count(store); i++) {
        const struct store_entry *entry = store_entry(store, i);
        char repository[REFERENCE_TEXT_SIZE];
        char tag[REFERENCE_TEXT_SIZE];

        if (strcmp(entry->digest, digest) != 0 || !entry->name[0])
            continue;
        image_split_name(entry->name, repository, tag);
        json_append(&names,
                    digests ? json_sprintf("%s@%s", repository, digest) : json_string(entry->name));
    }
    return names;
}

static json_t *describe_layers(const struct image_details *details)
{
    json_t *layers = json_array();

    for (size_t i = 0; i < details->manifest.layer_count; i++)
        json_append(&layers, json_pack("{s:s, s:I}", "Digest", details->manifest.layers[i].digest,
                                       "Size", (json_int_t)details->manifest.layers[i].size));
    return layers;
}

static json_t *describe(const struct store *store, const struct store_entry *entry,
                        const struct image_details *details)
{
    char path[PATH_MAX + STORE_NAME_SIZE];
    char root[STORE_NAME_SIZE];
    const json_t *config = details->config;
    json_t *run = json_object_get(config, "config");
    json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");

    store_root_name(details->manifest.config_digest, ".squashfs", root);
    text_format(path, sizeof(path), "%s/%s", store_path(store), root); /* JSON takes UTF-8 */
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:I, s:O?, s:{s:s, s:O?}, s:o, "
                     "s:{s:s, s:{s:s}}}",
                     "Id", details->manifest.config_digest, "RepoTags",
                     collect_names(store, entry->digest, false), "RepoDigests",
                     collect_names(store, entry->digest, true), "Created",
                     image_json_text(config, "created"), "Author",
                     image_json_text(config, "author"), "Architecture",
                     image_json_text(config, "architecture"), "Os", image_json_text(config, "os"),
                     "Size", (json_int_t)details->root_size, "Config", run, "RootFS", "Type",
                     "layers", "Layers", diff_ids, "Layers", describe_layers(details),
                     "GraphDriver", "Name", "squashfs", "Data", "Path", path);
}

int image_command_inspect(int argc, char **argv, struct error *err)
{
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO_JSON json_t *array = json_array();
    int rc = image_options_parse(&inspect_table, argc, argv, NULL, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count == 0)
        return error_set(err, EINVAL, "image inspect: give at least one image");
    rc = image_store_open(STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < operands.count; i++) {
        AUTO_IMAGE_DETAILS struct image_details details = {0};
        const struct store_entry *entry = NULL;

        rc = image_store_find(store, operands.items[i], &entry, err);
        if (rc < 0)
            return rc;
        rc = image_details_read(store, entry, &details, err);
        if (rc < 0)
            return rc;
        if (json_array_append_new(array, describe(store, entry, &details)) < 0)
            return error_set_errno(err, ENOMEM, "%s", operands.items[i]);
    }
    return print_json(json_incref(array), JSON_INDENT(4), err);
}

struct history_row {
    const char *created;
    const char *created_by;
    const char *comment;
    uint64_t size;
};

static int print_history_row(const struct history_row *row, const char *id,
                             const struct show_options *options, bool as_json, struct table *table,
                             struct error *err)
{
    char age[IMAGE_TEXT_SIZE];
    char size[IMAGE_TEXT_SIZE];
    char created_by[4096];
    char comment[4096];

    image_format_age(row->created, time(NULL), age);
    image_format_size(row->size, size);
    if (as_json)
        return print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "ID", id, "CreatedAt",
                                    row->created, "CreatedSince", age, "CreatedBy", row->created_by,
                                    "Size", size, "Comment", row->comment),
                          JSON_COMPACT, err);
    if (options->quiet) {
        puts(id);
    } else {
        text_copy(created_by, options->no_trunc ? sizeof(created_by) : 46, row->created_by);
        text_copy(comment, sizeof(comment), row->comment);
        add_cells(table, (const char *[]){id, age, created_by, size, comment}, table->column_count);
    }
    return 0;
}

static int print_history(const struct image_details *details, const struct show_options *options,
                         bool as_json, struct table *table, struct error *err)
{
    const json_t *history = json_object_get(details->config, "history");
    size_t layer = details->manifest.layer_count;
    char id[DIGEST_SIZE];

    image_format_id(details->manifest.config_digest, options->no_trunc, id);
    for (size_t i = json_array_size(history); i-- > 0;) {
        const json_t *item = json_array_get(history, i);
        struct history_row row = {
            .created = image_json_text(item, "created"),
            .created_by = image_json_text(item, "created_by"),
            .comment = image_json_text(item, "comment"),
        };
        int rc;

        if (!json_is_true(json_object_get(item, "empty_layer")) && layer > 0)
            row.size = details->manifest.layers[--layer].size;
        rc = print_history_row(&row, id, options, as_json, table, err);
        if (rc < 0)
            return rc;
        snprintf(id, sizeof(id), "<missing>"); /* only the newest row has an image */
    }
    return 0;
}

int image_command_history(int argc, char **argv, struct error *err)
{
    static const struct table_column columns[] = {
        {"IMAGE", TABLE_LEFT, 12}, {"CREATED", TABLE_LEFT, 16}, {"CREATED BY", TABLE_LEFT, 45},
        {"SIZE", TABLE_LEFT, 10},  {"COMMENT", TABLE_LEFT, 0},
    };
    AUTO_STRING_LIST struct string_list operands = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};
    struct show_options options = {0};
    const struct store_entry *entry = NULL;
    AUTO_IMAGE_DETAILS struct image_details details = {0};
    bool as_json = false;
    int rc = image_options_parse(&history_table, argc, argv, &options, &operands, err);

    if (rc <= 0)
        return rc;
    if (operands.count != 1)
        return error_set(err, EINVAL, "image history: give one image");
    rc = parse_format(&options, &as_json, err);
    if (rc < 0)
        return rc;
    rc = image_store_open(STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    rc = image_store_find(store, operands.items[0], &entry, err);
    if (rc < 0)
        return rc;
    rc = image_details_read(store, entry, &details, err);
    if (rc < 0)
        return rc;
    rc = print_history(&details, &options, as_json, &table, err);
    if (rc < 0)
        return rc;
    if (!options.quiet && !as_json && table_write(&table, stdout) < 0)
        return error_set_errno(err, ENOMEM, "image history");
    return 0;
}
