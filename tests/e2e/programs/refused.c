/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Make the system calls of these numbers, with -1 for every argument, and print those that
 * are not refused as a filter refuses them. For calls that are said to be stopped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        long result = syscall(atol(argv[i]), -1L, -1L, -1L, -1L, -1L, -1L);

        if (result != -1 || (errno != EPERM && errno != ENOSYS))
            printf("%s: %ld, errno %d\n", argv[i], result, errno);
    }
    return 0;
}
