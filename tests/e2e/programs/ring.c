/* SPDX-License-Identifier: Apache-2.0 */
/* Ring the doorbell from a test's initramfs: ring exit STATUS | ring panic | ring mark N.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>

#include "guest/doorbell_abi.h"

int main(int argc, char **argv)
{
    unsigned argument = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (argc < 2 || ioperm(DOORBELL_PORT, 4, 1) != 0) {
        perror("ring");
        return 1;
    }
    if (strcmp(argv[1], "exit") == 0)
        outl(DOORBELL_VALUE(DOORBELL_EXIT, argument), DOORBELL_PORT);
    else if (strcmp(argv[1], "panic") == 0)
        outl(DOORBELL_VALUE(DOORBELL_PANIC, 0), DOORBELL_PORT);
    else
        outl(DOORBELL_VALUE(DOORBELL_MARK, argument), DOORBELL_PORT);
    return 0;
}
