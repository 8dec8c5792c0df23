/* SPDX-License-Identifier: Apache-2.0 */
/*
 * microvm-import, the program that parses untrusted files:
 *
 *   microvm-import load [--name NAME] [--base NAME] [--unnamed] SPACE RATIO ENTRIES IMAGES SECONDS
 *   microvm-import unpack-kernel
 *
 * Started by microvm, which only passes the descriptors of load_protocol.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/image/import/confine.h"
#include "vmm/image/import/import_run.h"
#include "vmm/image/import/unpack.h"
#include "vmm/image/load_protocol.h"

#define EXIT_USAGE 2
#define FILE_MAX   (1ULL << 39) /* bytes, including holes: twice the limit of an unpacked archive */

static bool parse_arguments(int argc, char **argv, struct import_request *request)
{
    uint64_t *const limits[] = {&request->limits.space, &request->limits.ratio,
                                &request->limits.entries, &request->limits.images,
                                &request->limits.seconds};
    int at = 2;

    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--unnamed") == 0)
            request->unnamed = true;
        else if (strcmp(argv[at], "--name") == 0 && at + 1 < argc)
            request->name = argv[++at];
        else if (strcmp(argv[at], "--base") == 0 && at + 1 < argc)
            request->base = argv[++at];
        else
            return false;
    }
    if (at + 5 != argc)
        return false;
    for (size_t i = 0; i < 5; i++)
        *limits[i] = strtoull(argv[at + (int)i], NULL, 10);
    return request->limits.ratio > 0;
}

/* Is the parent still alive? From here on its death is a signal. */
static bool is_wanted(int channel)
{
    struct pollfd peer = {.fd = channel};

    return poll(&peer, 1, 0) == 0 || !(peer.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int load(int argc, char **argv)
{
    struct import_request request = {
        .channel = LOAD_CHANNEL_FD,
        .source = LOAD_SOURCE_FD,
        .confined = true,
    };

    if (!parse_arguments(argc, argv, &request))
        return EXIT_USAGE;
    if (confine_process(request.limits.seconds, FILE_MAX, NULL) < 0 || !is_wanted(LOAD_CHANNEL_FD))
        return EXIT_FAILURE;
    /* The locale stays "C", so that libarchive keeps the bytes of names: in a UTF-8 locale it
     * normalises them, so that two names can become one. */
    return import_run(&request, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int status = EXIT_USAGE;

    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error: EFBIG */
    if (argc > 2 && strcmp(argv[1], "load") == 0)
        status = load(argc, argv);
    else if (argc == 2 && strcmp(argv[1], "unpack-kernel") == 0)
        return unpack_kernel(LOAD_SOURCE_FD, LOAD_CHANNEL_FD);
    if (status == EXIT_USAGE)
        fputs("microvm-import is started by microvm, with descriptors that only it can give\n",
              stderr);
    return status;
}
