/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the sub commands of microvm. Each gets argv[0] = its own name and returns the exit status. */
#ifndef MICROVM_CLI_COMMANDS_H
#define MICROVM_CLI_COMMANDS_H

int cli_image(int argc, char **argv);

#endif
