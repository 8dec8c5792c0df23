/* SPDX-License-Identifier: Apache-2.0 */
/* Own namespaces for one of our processes (namespaces(7)), and an empty root directory. */
#ifndef MICROVM_CONFINE_NAMESPACES_H
#define MICROVM_CONFINE_NAMESPACES_H

#include <stdbool.h>

#include "vmm/base/error.h"

/*
 * Sets of flags for clone(2), the largest first; the last is 0. If a process cannot be created with
 * one set, the next is tried. `attempt` counts from 0; returns -1 after the last.
 */
int namespaces_flags(unsigned attempt);

/*
 * In the new process, before execve(2): with CLONE_NEWUSER among its flags it becomes root of its
 * user namespace, and stays the caller's user outside. Makes only system calls. Returns 0 or -1
 * with errno.
 */
int namespaces_map_user(int flags, unsigned uid, unsigned gid);

/*
 * In an own mount namespace: replaces the root directory by an empty, read-only one. Needs
 * CAP_SYS_ADMIN. If the present root is not a mount point, it cannot be replaced, and the process
 * is confined by chroot(2) instead. Errors: of mount(2), pivot_root(2).
 */
int namespaces_empty_root(struct error *err);

#endif
