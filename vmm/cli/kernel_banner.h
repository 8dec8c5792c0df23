/* SPDX-License-Identifier: Apache-2.0 */
/* The version of a kernel image. */
#ifndef MICROVM_CLI_KERNEL_BANNER_H
#define MICROVM_CLI_KERNEL_BANNER_H

#include <stddef.h>

#include "vmm/base/error.h"

#define KERNEL_BANNER_SIZE 128

/*
 * Writes the version of the Linux in the file at `path`, such as "6.1.170": from the banner of an
 * uncompressed image, or from the header where the format has one (arch.h).
 * Errors: ENOEXEC (not a Linux kernel), of open(2) and mmap(2).
 */
int kernel_banner_read(const char *path, char text[KERNEL_BANNER_SIZE], struct error *err);

#endif
