/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of microvm-probes, one function each. */
#ifndef MICROVM_GUEST_PROBES_SUBCOMMANDS_H
#define MICROVM_GUEST_PROBES_SUBCOMMANDS_H

/* Each gets the arguments behind its name, in argv[0 .. argc - 1], and returns the exit status. */
int cmd_check(int argc, char **argv);
int cmd_bomb(int argc, char **argv);
int cmd_hog(int argc, char **argv);
int cmd_measure(int argc, char **argv);
int cmd_measure_machine(int argc, char **argv);
int cmd_nothing(int argc, char **argv);

#endif
