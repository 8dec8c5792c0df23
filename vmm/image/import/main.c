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

#include "vmm/base/cleanup.h"
#include "vmm/image/import/import.h"
#include "vmm/image/import/load_kinds.h"
#include "vmm/image/import/source.h"

#define EXIT_USAGE 2

struct arguments {
    const char *store;
    const char *name;
    const char *path;
    bool unnamed;
};

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
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

/* A name for what has none: "dir/My App.tar.gz" is "my-app". Null when nothing is left. */
static char *name_from_path(const char *path)
{
    static const char *const endings[] = {".gz", ".zst", ".xz", ".tgz", ".tar", ".oci", ".docker"};
    AUTO_FREE char *resolved = strcmp(path, "-") == 0 ? NULL : realpath(path, NULL);
    char *base;
    size_t used = 0;

    if (!resolved)
        return NULL;
    base = strdup(strrchr(resolved, '/') + 1);
    if (!base)
        return NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t length = strlen(base);
        size_t ending = strlen(endings[i]);

        if (length > ending && strcmp(base + length - ending, endings[i]) == 0)
            base[length - ending] = '\0';
    }
    for (const char *at = base; *at && used < 128; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            base[used++] = c;
        else if (used > 0 && base[used - 1] != '-')
            base[used++] = '-';
    }
    while (used > 0 && base[used - 1] == '-')
        used--;
    base[used] = '\0';
    if (used == 0) {
        free(base);
        return NULL;
    }
    return base;
}

static int load(struct load_request *request, const struct arguments *arguments, struct error *err)
{
    static int (*const loaders[])(const struct load_request *, struct error *) = {
        [SOURCE_OCI] = load_oci,
        [SOURCE_DOCKER] = load_docker,
        [SOURCE_ROOT] = load_root,
    };
    int rc = source_open(arguments->path, request->import->directory, &request->source, err);

    if (rc == 0) {
        rc = loaders[source_kind(request->source)](request, err);
        source_close(request->source);
    }
    if (rc < 0)
        return error_wrap(err, "%s",
                          strcmp(arguments->path, "-") == 0 ? "standard input" : arguments->path);
    return import_commit(request->import, err);
}

static int run(const struct arguments *arguments, struct error *err)
{
    AUTO_FREE char *base = name_from_path(arguments->path);
    struct import import;
    struct load_request request = {
        .import = &import,
        .name = arguments->name,
        .base = base,
        .unnamed = arguments->unnamed,
    };
    int rc = import_begin(arguments->store, &import, err);

    if (rc == 0)
        rc = load(&request, arguments, err);
    for (size_t i = 0; rc == 0 && i < import.image_count; i++)
        printf("image %s %s\n", import.images[i].config_digest, import.images[i].name);
    import_end(&import);
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct error err = ERROR_INIT;

    if (!parse_arguments(argc, argv, &arguments)) {
        fputs("usage: microvm-import load --store DIRECTORY [--name NAME] [--unnamed] [--] PATH\n",
              stderr);
        return EXIT_USAGE;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody waits for the result any more */
    setlocale(LC_CTYPE, "C.UTF-8");   /* libarchive converts names to it: archives hold UTF-8 */
    if (run(&arguments, &err) < 0)
        printf("error %d %s\n", err.code ? err.code : EIO, err.text);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
}
