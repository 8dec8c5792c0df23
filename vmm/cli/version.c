/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: `microvm version`. */
#include <stdio.h>

#include "vmm/cli/commands.h"

#define MICROVM_VERSION "0.1.0"

int cli_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("microvm %s\n", MICROVM_VERSION);
    return 0;
}
