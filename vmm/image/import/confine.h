/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: take from microvm-import what reading an archive never needs, before the first hostile
 * byte is parsed. Whoever takes over a parser then holds a process that can read its input, write
 * in the image store, and hardly more: no program to start, no socket, no other file, no new
 * privilege.
 */
#ifndef MICROVM_IMAGE_IMPORT_CONFINE_H
#define MICROVM_IMAGE_IMPORT_CONFINE_H

#include "vmm/base/error.h"

/*
 * Files by Landlock: all of `store` (a directory), and reading of `source` (null: none). A kernel
 * without Landlock 2 (Linux 5.19) leaves the files as they are; that is no error.
 * Errors: of open(2) for the two, of landlock_restrict_self(2).
 */
int confine_files(const char *store, const char *source, struct error *err);

/* System calls by seccomp: a list of those allowed; any other fails with EPERM. Sets no_new_privs.
 */
int confine_system_calls(struct error *err);

/* Limits: no core dump (it would hold the archive's contents), bounded memory. */
int confine_resources(struct error *err);

#endif
