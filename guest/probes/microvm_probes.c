/* SPDX-License-Identifier: Apache-2.0 */
/*
 * microvm-probes, the program that `microvm probe` and `microvm compare` run under each isolation.
 * It checks and measures there, and writes the results as JSON, one object a line. The verdicts are
 * found outside, where the values of the host are known.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/probes/subcommands.h"

#define STATUS_USAGE 2

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"check", cmd_check},
    {"bomb", cmd_bomb},
    {"hog", cmd_hog},
    {"measure", cmd_measure},
    {"measure-machine", cmd_measure_machine},
    {"nothing", cmd_nothing},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 2, argv + 2);
    dprintf(STDERR_FILENO,
            "microvm-probes: unknown subcommand; microvm starts this program itself\n");
    return STATUS_USAGE;
}
