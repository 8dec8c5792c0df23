/* SPDX-License-Identifier: Apache-2.0 */
/* Names of system calls. */
#ifndef MICROVM_BASE_SYSCALL_NAME_H
#define MICROVM_BASE_SYSCALL_NAME_H

#include <stdint.h>

/* The kernel's name of a system call of this architecture; NULL if it was unknown when this program
 * was built. */
const char *syscall_name(uint32_t number);

#endif
