/* SPDX-License-Identifier: Apache-2.0 */
/* `microvm version`: version and build, and the kernel that a run would boot. */
#include <errno.h>
#include <gen/architecture.h>
#include <stdio.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/program_file.h"
#include "vmm/base/table.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/kernel_banner.h"
#include "vmm/cli/options.h"

/* Defined by the Makefile; the defaults are for builds of single files, as in tests. */
#ifndef MICROVM_VERSION
#define MICROVM_VERSION "unknown"
#endif
#ifndef MICROVM_COMMIT
#define MICROVM_COMMIT ""
#endif

static const struct option_table option_table = {
    .usage = "version [OPTIONS]",
    .about = "Shows version and build of microvm, and the guest kernel that a run would boot.",
};

static void add_file(struct table *table, const struct program_file *file)
{
    AUTO_FREE char *path = NULL;
    char version[KERNEL_BANNER_SIZE];

    table_add(table, "%s", file->what);
    if (program_file_find(file, NULL, &path, NULL) < 0)
        table_add(table, "none; see 'microvm doctor'");
    else if (file == &program_file_kernel && kernel_banner_read(path, version, NULL) == 0)
        table_add(table, "Linux %s (%s)", version, path);
    else
        table_add(table, "%s", path);
}

int cli_version(int argc, char **argv)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT, 17}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table files = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};
    struct error err = ERROR_INIT;
    int first = options_parse(&option_table, argc, argv, NULL, &err);

    if (first == 0)
        return 0;
    if (first > 0 && first < argc)
        first = error_set(&err, EINVAL, "version: unexpected argument '%s'", argv[first]);
    if (first < 0) {
        log_error("%s", err.text);
        return CLI_FAILURE;
    }
    printf("microvm %s", MICROVM_VERSION);
    if (MICROVM_COMMIT[0])
        printf(" (commit %s)", MICROVM_COMMIT);
    putchar('\n');
    table_add(&files, "built by");
    table_add(&files, "gcc %s, for " ARCHITECTURE_NAME, __VERSION__);
    add_file(&files, &program_file_kernel);
    add_file(&files, &program_file_initramfs);
    return table_write(&files, stdout) < 0 ? CLI_FAILURE : 0;
}
