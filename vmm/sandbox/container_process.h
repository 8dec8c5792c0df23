/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of a container's outer namespaces on the host: init (guest/init), behind
 * which the OCI runtime and the container live.
 *
 * It has a mount namespace of its own, so that no mount outlives it, and a process namespace of its
 * own, so that no process does: the kernel ends all of them with it, and it ends with the process
 * that has started it. Without root it has a user namespace as well, in which the user is root and
 * the users of /etc/subuid and /etc/subgid are the others (user_namespaces(7)).
 */
#ifndef MICROVM_SANDBOX_CONTAINER_PROCESS_H
#define MICROVM_SANDBOX_CONTAINER_PROCESS_H

#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/sandbox/container_root.h"
#include "vmm/sandbox/id_map.h"

struct container_process {
    const char *init;    /* path of microvm-init */
    const char *runtime; /* path of the bundled crun; NULL: another runtime */
    struct container_root root;
    struct id_map ids; /* without root */
    int lock;          /* the instance's lock, which the process keeps */
    /* Its ends of the connections to the client, for control and PROTOCOL_STREAMS streams; -1 =
     * none. The caller closes its own. */
    const int *connections;
};

/*
 * Starts it; returns when init has been executed. The caller is the thread with which the process
 * shall end, and reaps *pid. Errors: EPERM (no user namespaces; says how to fix it), those of
 * container_root_mount().
 */
int container_process_start(const struct container_process *process, pid_t *pid, struct error *err);

#endif
