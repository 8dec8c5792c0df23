/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a guest. The launcher of the VM opens them: the monitor opens nothing. All
 * descriptors are close-on-exec and owned by the caller.
 */
#ifndef MICROVM_MACHINE_GUEST_FILES_H
#define MICROVM_MACHINE_GUEST_FILES_H

#include <stdbool.h>

#include "vmm/base/error.h"

/* The kernel as an ELF file; a bzImage is unpacked, by a confined process. Errors: of open(2),
 * ENOEXEC. */
int guest_files_open_kernel(const char *path, struct error *err);

/* Errors: of open(2), EINVAL (not a regular file). */
int guest_files_open_initramfs(const char *path, struct error *err);

/* Errors: of open(2). */
int guest_files_open_disk(const char *path, bool read_only, struct error *err);

#endif
