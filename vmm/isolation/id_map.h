/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: who is who in a user namespace of a container that runs without root. */
#ifndef MICROVM_ISOLATION_ID_MAP_H
#define MICROVM_ISOLATION_ID_MAP_H

#include <sys/types.h>

#include "vmm/base/error.h"

/*
 * Maps user and group 0 in the user namespace of process `pid` to the caller, and those from 1 on
 * to the caller's ranges in /etc/subuid and /etc/subgid, by newuidmap(1) and newgidmap(1). Where
 * there is no range or no such program, root alone is mapped, and a warning says what that means.
 * Errors: of write(2) to /proc/PID/uid_map, EIO (newuidmap failed).
 */
int id_map_write(pid_t pid, struct error *err);

#endif
