/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of one running instance, and the sweep of those whose owners are gone.
 *
 * RUNTIME is $MICROVM_RUNTIME, else /run/microvm for root, else $XDG_RUNTIME_DIR/microvm, else
 * /tmp/microvm-UID. It belongs to the caller alone. RUNTIME/.lock marks it as microvm's (nothing is
 * ever removed from a directory without it). It is held, exclusively and briefly, while an instance
 * is added or removed.
 *
 * RUNTIME/NAME/ (mode 0700) holds: lock, control.sock, and a VM's console.log; for a container on
 * the host its bundle, the sockets to its init, its mount points, and the path of its cgroup. The
 * client takes a shared flock on `lock`, and the monitor inherits the same open file description:
 * the lock is free only when both have ended, however they died. Then the directory is stale, and
 * the next command removes it.
 */
#ifndef MICROVM_CONTAINER_INSTANCE_H
#define MICROVM_CONTAINER_INSTANCE_H

#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/container/instance_name.h"

struct instance {
    char name[INSTANCE_NAME_MAX + 1];
    char *directory; /* path; short enough for a UNIX socket in it */
    int directory_fd;
    int runtime_fd; /* RUNTIME and its .lock */
    int runtime_lock_fd;
    int lock_fd;
    int control_listener; /* bound to control.sock, listening; for the monitor */
};

#define INSTANCE_INIT                                                                              \
    {                                                                                              \
        "", NULL, -1, -1, -1, -1, -1                                                               \
    }

/* Path of RUNTIME; the caller frees *path. Errors: EINVAL ($MICROVM_RUNTIME is relative), ENOMEM.
 */
int instance_runtime_path(char **path, struct error *err);

/* Checks a name that a user gave. Errors: EINVAL. */
int instance_check_name(const char *name, struct error *err);

/*
 * Makes the directory. `name` NULL: one is generated (two words, as docker). Errors: EEXIST (name
 * in use), EINVAL (bad name), EPERM (other users can write to RUNTIME), ENAMETOOLONG, of mkdir(2).
 */
int instance_create(const char *name, struct instance *instance, struct error *err);
/* Removes the directory with all that is in it, releases all members. Safe on INSTANCE_INIT. */
void instance_destroy(struct instance *instance);
/* Removes the directories of dead instances; never blocks on living ones. Reports no errors. */
void instance_sweep(void);

#endif
