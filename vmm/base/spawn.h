/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: start a program of ours that reads what others made: with exactly the descriptors that
 * it needs, and nothing else of ours. */
#ifndef MICROVM_BASE_SPAWN_H
#define MICROVM_BASE_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/error.h"

/*
 * Starts the program at `path`; `descriptors` become its descriptors 0, 1, ..., all others are
 * closed. Its environment is empty but for LD_LIBRARY_PATH, signals are as at the start of a
 * session. `arguments` ends with a null pointer. Errors: of posix_spawn(3).
 */
int spawn_program(const char *path, char *const arguments[], const int descriptors[], size_t count,
                  pid_t *pid, struct error *err);

#endif
