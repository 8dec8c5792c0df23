/* SPDX-License-Identifier: Apache-2.0 */
/*
 * microvm-probes, the program that `microvm probe` and `microvm compare` bring with them
 * under each isolation. It asks and measures there, and says what it found as JSON, an object a
 * line. It judges nothing: that is done outside, where the truth about the host is known.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/probes/subcommands.h"

#define STATUS_USAGE 2

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} words[] = {
    {"check", cmd_check},
    {"bomb", cmd_bomb},
    {"hog", cmd_hog},
    {"measure", cmd_measure},
    {"measure-machine", cmd_measure_machine},
    {"nothing", cmd_nothing},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(argv[1], words[i].name) == 0)
            return words[i].run(argc - 2, argv + 2);
    dprintf(STDERR_FILENO, "microvm-probes: no such word; it is started by microvm itself\n");
    return STATUS_USAGE;
}
