/* SPDX-License-Identifier: Apache-2.0 */
/* `microvm image`: the table of its subcommands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/log.h"
#include "vmm/base/table.h"
#include "vmm/cli/cmd_image.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/suggest.h"

struct subcommand {
    const char *name;
    const char *summary;
    int (*function)(int argc, char **argv, struct error *err);
};

static const struct subcommand subcommands[] = {
    {"load", "load images from an archive or directory", image_command_load},
    {"ls", "list images", image_command_ls},
    {"inspect", "show details of images, as JSON", image_command_inspect},
    {"history", "show the layers of an image", image_command_history},
    {"tag", "add a name to an image", image_command_tag},
    {"rm", "remove images", image_command_rm},
    {"verify", "verify the digests of images", image_command_verify},
    {"prune", "remove images without a name, and leftovers", image_command_prune},
};

static void print_overview(FILE *out)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT, 10}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    fputs("Usage: microvm image COMMAND [OPTIONS] [ARGUMENTS]\n\nManages the image store.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < ARRAY_LENGTH(subcommands); i++) {
        table_add(&table, "  %s", subcommands[i].name);
        table_add(&table, "%s", subcommands[i].summary);
    }
    (void)table_write(&table, out); /* the output shows a failure */
    fputs("\nThe store is $MICROVM_STORE, else /var/lib/microvm for root, else\n"
          "~/.local/share/microvm. For more, see 'microvm image COMMAND --help'.\n",
          out);
}

static int unknown(const char *name)
{
    const char *names[ARRAY_LENGTH(subcommands)];
    const char *nearest;

    for (size_t i = 0; i < ARRAY_LENGTH(subcommands); i++)
        names[i] = subcommands[i].name;
    nearest = suggest_nearest(name, names, ARRAY_LENGTH(names));
    if (nearest)
        log_error("image: unknown command '%s'; did you mean '%s'?", name, nearest);
    else
        log_error("image: unknown command '%s'; 'microvm image --help' lists all", name);
    return CLI_FAILURE;
}

int cli_image(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return CLI_FAILURE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(subcommands); i++) {
        struct error err = ERROR_INIT;
        int rc;

        if (strcmp(subcommands[i].name, argv[1]) != 0)
            continue;
        rc = subcommands[i].function(argc - 1, argv + 1, &err);
        if (rc < 0 && rc != -EALREADY)
            log_error("%s", err.text);
        return rc < 0 ? CLI_FAILURE : 0;
    }
    return unknown(argv[1]);
}
