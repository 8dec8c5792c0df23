/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `microvm`, one file each; the table is in microvm.c. A command gets its
 * own name in argv[0] and returns the exit status.
 */
#ifndef MICROVM_CLI_COMMANDS_H
#define MICROVM_CLI_COMMANDS_H

/* The exit status of every failure of microvm itself, as docker's. */
#define CLI_FAILURE 125

int cli_run(int argc, char **argv);
int cli_boot(int argc, char **argv);
int cli_compare(int argc, char **argv);
int cli_image(int argc, char **argv);
int cli_probe(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);

#endif
