/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: microvm-probes, the program that `microvm probe` and `microvm compare` bring with them
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
    {"ask", word_ask},
    {"bomb", word_bomb},
    {"hog", word_hog},
    {"measure", word_measure},
    {"measure-machine", word_measure_machine},
    {"nothing", word_nothing},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(argv[1], words[i].name) == 0)
            return words[i].run(argc - 2, argv + 2);
    dprintf(STDERR_FILENO, "microvm-probes: no such word; it is started by microvm itself\n");
    return STATUS_USAGE;
}
