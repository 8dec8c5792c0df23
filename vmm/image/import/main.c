/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: microvm-import: `microvm-import load --store DIR [--name NAME] [--unnamed] [--] PATH`.
 *
 * Started by microvm (vmm/image/load.c), which reads our standard output: "image DIGEST NAME"
 * lines, or one "error NUMBER TEXT". All parsing of archives happens here, in a process without
 * more rights than its user, that can gain none, and that never writes outside of the store's
 * temporary directory.
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "vmm/base/printable.h"
#include "vmm/image/import/run.h"

#define EXIT_USAGE 2

/* For names, links and attributes; contents are in files. 2 million files need less than half. */
#define MEMORY_MAX (4ULL << 30)

static bool parse_arguments(int argc, char **argv, struct import_request *arguments)
{
    int at = 2;

    if (argc < 3 || strcmp(argv[1], "load") != 0)
        return false;
    for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(argv[at], "--unnamed") == 0)
            arguments->unnamed = true;
        else if (strcmp(argv[at], "--store") == 0 && at + 1 < argc)
            arguments->store = argv[++at];
        else if (strcmp(argv[at], "--name") == 0 && at + 1 < argc)
            arguments->name = argv[++at];
        else
            return false;
    }
    if (at + 1 != argc || !arguments->store)
        return false;
    arguments->path = argv[at];
    return true;
}

/* A small archive can unpack to names and attributes without end: that is to fail, with a message,
 * before the host is short of memory. */
static void limit_memory(void)
{
    struct sysinfo host;
    struct rlimit limit;

    if (sysinfo(&host) < 0 || getrlimit(RLIMIT_DATA, &limit) < 0)
        return;
    if (limit.rlim_cur > (rlim_t)host.totalram * host.mem_unit / 2)
        limit.rlim_cur = (rlim_t)host.totalram * host.mem_unit / 2;
    if (limit.rlim_cur > MEMORY_MAX)
        limit.rlim_cur = MEMORY_MAX;
    setrlimit(RLIMIT_DATA, &limit);
}

static void run(const struct import_request *request)
{
    AUTO_STRING_LIST struct string_list ids = {0};
    AUTO_STRING_LIST struct string_list names = {0};
    struct error err = ERROR_INIT;

    if (import_run(request, &ids, &names, &err) < 0) {
        char text[ERROR_TEXT_SIZE];

        /* The message is one line, whatever an archive put into it. */
        printable_copy(text, sizeof(text), err.text);
        printf("error %d %s\n", err.code ? err.code : EIO, text);
        return;
    }
    for (size_t i = 0; i < ids.count; i++)
        printf("image %s %s\n", ids.items[i], names.items[i]);
}

int main(int argc, char **argv)
{
    struct import_request arguments = {.confined = true};

    if (!parse_arguments(argc, argv, &arguments)) {
        fputs("usage: microvm-import load --store DIRECTORY [--name NAME] [--unnamed] [--] PATH\n",
              stderr);
        return EXIT_USAGE;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody waits for the result any more */
    limit_memory();
    setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive converts names to it: archives hold UTF-8 */
    run(&arguments);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
}
