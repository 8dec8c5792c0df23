/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to start another program: posix_spawn(3), which shares the caller's memory until the
 * exec, so starting one costs the same however large the caller is.
 *
 * The program inherits nothing that is not listed: no other descriptor, no other environment
 * variable, no blocked or ignored signal.
 */
#ifndef MICROVM_BASE_SPAWN_H
#define MICROVM_BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/error.h"

#define SPAWN_DESCRIPTORS_MAX 32
#define SPAWN_NULL            (-2) /* as a source: /dev/null */

struct spawn_descriptor {
    int target; /* in the program, 0 or above; each once */
    int source; /* the caller's, may overlap with targets; SPAWN_NULL; -1: no row */
};

/* Borrows all that it points to. */
struct spawn {
    const char *program;            /* a path; a name without '/' is looked for in $PATH */
    const char *const *arguments;   /* from the program's own name to a null pointer */
    const char *const *environment; /* ends with a null pointer; null: LD_LIBRARY_PATH alone */
    const struct spawn_descriptor *descriptors; /* of 0, 1 and 2 those not listed are inherited */
    size_t descriptor_count;                    /* at most SPAWN_DESCRIPTORS_MAX */
    bool session;                               /* a new session: no Ctrl-C reaches it */
};

/*
 * Starts it; the caller reaps *pid. Errors: of posix_spawn(3), also of its exec (ENOENT, EACCES,
 * ENOEXEC); of fcntl(2); E2BIG (descriptors).
 */
int spawn_start(const struct spawn *spawn, pid_t *pid, struct error *err);

/* Waits until it ends; returns its status as waitpid(2) does. Errors: of waitpid(2), but EINTR. */
int spawn_wait(pid_t pid, int *status);

/* Both. Errors: of both; EIO (it did not exit with status 0; *err is "PROGRAM failed"). */
int spawn_run(const struct spawn *spawn, struct error *err);

#endif
