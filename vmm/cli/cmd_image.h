/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `microvm image` share. */
#ifndef MICROVM_CLI_CMD_IMAGE_H
#define MICROVM_CLI_CMD_IMAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/cli/options.h"
#include "vmm/image/config.h"
#include "vmm/image/store.h"

/* Each subcommand, with argv[0] = its name: 0, or an error to show; -EALREADY when it was shown. */
int image_command_ls(int argc, char **argv, struct error *err);
int image_command_inspect(int argc, char **argv, struct error *err);
int image_command_history(int argc, char **argv, struct error *err);
int image_command_load(int argc, char **argv, struct error *err);
int image_command_tag(int argc, char **argv, struct error *err);
int image_command_rm(int argc, char **argv, struct error *err);
int image_command_verify(int argc, char **argv, struct error *err);
int image_command_prune(int argc, char **argv, struct error *err);

/*
 * options_parse() for commands whose options may also follow their operands, which are added to
 * `operands`. Returns 1, or 0 when --help was met, or an error.
 */
int image_options_parse(const struct option_table *table, int argc, char **argv, void *target,
                        struct string_list *operands, struct error *err);

/* Opens the store of this user. */
int image_store_open(enum store_access access, struct store **store, struct error *err);

/* Finds the image that `text` names. Errors: of reference_parse() and store_resolve(); EINVAL for a
 * path. */
int image_store_find(struct store *store, const char *text, const struct store_entry **entry,
                     struct error *err);

/* A stored image's documents and sizes, for showing. */
struct image_details {
    struct image_manifest manifest;
    json_t *config;     /* the whole document */
    uint64_t root_size; /* bytes of the squashfs; 0 when it is missing */
};

#define AUTO_IMAGE_DETAILS __attribute__((cleanup(image_details_release)))

/* The caller releases *details whatever is returned. */
int image_details_read(const struct store *store, const struct store_entry *entry,
                       struct image_details *details, struct error *err);
/* Safe on a zeroed object. */
void image_details_release(struct image_details *details);

/* A string field of a JSON object, "" when it is absent or not a string. Borrowed. */
const char *image_json_text(const json_t *object, const char *key);

#define IMAGE_TEXT_SIZE 64

/* "3 days ago" for a time of RFC 3339, or "in the future"; "N/A" for anything else and for a time
 * before 1970 (Go writes 0001-01-01 where there is no time). */
void image_format_age(const char *created, int64_t now, char text[IMAGE_TEXT_SIZE]);

/* "12.3MB", with powers of 1000 as docker does. */
void image_format_size(uint64_t bytes, char text[IMAGE_TEXT_SIZE]);

/* Splits "name:tag" into its parts, "<none>" for an empty name. */
void image_split_name(const char *name, char repository[REFERENCE_TEXT_SIZE],
                      char tag[REFERENCE_TEXT_SIZE]);

/* The first 12 digits of a digest, or with `whole` all of it with its prefix. */
const char *image_format_id(const char *digest, bool whole, char text[DIGEST_SIZE]);

#endif
