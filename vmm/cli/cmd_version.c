/* SPDX-License-Identifier: Apache-2.0 */
/* `microvm version`: what was built, from what, and which kernel it would boot. */
#include <errno.h>
#include <gen/architecture.h>
#include <stdio.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/program_file.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/kernel_banner.h"
#include "vmm/cli/options.h"

/* The Makefile says them; the text is for a build of single files, as tests make. */
#ifndef MICROVM_VERSION
#define MICROVM_VERSION "unknown"
#endif
#ifndef MICROVM_COMMIT
#define MICROVM_COMMIT ""
#endif

static const struct option_table table = {
    .usage = "version [OPTIONS]",
    .about = "Shows version and build of microvm, and the guest kernel it would boot.",
};

static void show_file(const struct program_file *file)
{
    AUTO_FREE char *path = NULL;
    char version[KERNEL_BANNER_SIZE];

    if (program_file_find(file, NULL, &path, NULL) < 0)
        printf("%-17s none; 'microvm doctor' tells more\n", file->what);
    else if (file == &program_file_kernel && kernel_banner_read(path, version, NULL) == 0)
        printf("%-17s Linux %s (%s)\n", file->what, version, path);
    else
        printf("%-17s %s\n", file->what, path);
}

int cli_version(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    int first = options_parse(&table, argc, argv, NULL, &err);

    if (first == 0)
        return 0;
    if (first > 0 && first < argc)
        first = error_set(&err, EINVAL, "version: takes no operand '%s'", argv[first]);
    if (first < 0) {
        log_error("%s", err.text);
        return CLI_FAILURE;
    }
    printf("microvm %s", MICROVM_VERSION);
    if (MICROVM_COMMIT[0])
        printf(" (commit %s)", MICROVM_COMMIT);
    printf("\n%-17s gcc %s, for " ARCHITECTURE_NAME "\n", "built by", __VERSION__);
    show_file(&program_file_kernel);
    show_file(&program_file_initramfs);
    return 0;
}
