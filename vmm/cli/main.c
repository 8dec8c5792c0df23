/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the table of commands, and the choice of one.
 *
 * Start-up is part of what users wait for: no locale, no configuration file, nothing opened before
 * a command asks for it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/log.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/suggest.h"
#include "vmm/instance/instance.h"

struct command {
    const char *name;
    const char *summary;
    int (*function)(int argc, char **argv);
    bool sweeps; /* removes what dead instances have left, before it begins */
};

static const struct command commands[] = {
    {"run", "run a command of a container image in a machine of its own", cli_run, true},
    {"boot", "boot a bare kernel, without image or container", cli_boot, true},
    {"compare", "run a command behind each wall, and show what each costs", cli_compare, true},
    {"probe", "ask from behind each wall what can be seen and done there", cli_probe, true},
    {"image", "load, list and remove images", cli_image, true},
    {"doctor", "check what a run needs, and how to mend it", cli_doctor, true},
    {"version", "show version and build", cli_version, false},
    {"help", "show help of microvm or of one command", cli_help, false},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int command_unknown(const char *name)
{
    const char *names[ARRAY_LENGTH(commands)];
    const char *nearest;

    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
        names[i] = commands[i].name;
    nearest = suggest_nearest(name, names, ARRAY_LENGTH(names));
    if (nearest)
        log_error("unknown command '%s'; did you mean '%s'? 'microvm help' lists all", name,
                  nearest);
    else
        log_error("unknown command '%s'; 'microvm help' lists all", name);
    return CLI_FAILURE;
}

static void print_overview(FILE *out)
{
    fputs("Usage: microvm COMMAND [OPTIONS] [ARGUMENTS]\n\n"
          "Runs container images, each inside a virtual machine of its own.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n'microvm help COMMAND' or 'microvm COMMAND --help' tells more; so does 'man microvm'.\n",
        out);
}

int cli_help(int argc, char **argv)
{
    char help_option[] = "--help";
    const struct command *command;

    if (argc < 2 || argv[1][0] == '-') {
        print_overview(stdout);
        return 0;
    }
    command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    if (command->function == cli_help) {
        fputs("Usage: microvm help [COMMAND]\n", stdout);
        return 0;
    }
    return command->function(2, (char *[]){argv[1], help_option, NULL});
}

static int dispatch(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_overview(stderr);
        return CLI_FAILURE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_help(1, argv);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)
        return cli_version(1, argv);
    command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    if (command->sweeps)
        instance_sweep();
    return command->function(argc - 1, argv + 1);
}

/* Without 0, 1 and 2 a file of ours would take their numbers, and a guest's output its place. */
static bool open_standard_streams(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int main(int argc, char **argv)
{
    int status;

    if (argc == 3 && strcmp(argv[1], "__monitor") == 0)
        return monitor_main(argv[2]); /* started by instance_launch() */
    if (!open_standard_streams())
        return CLI_FAILURE;
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would hide how programs of ours have ended */
    status = dispatch(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("standard output: cannot write");
        return CLI_FAILURE;
    }
    return status;
}
