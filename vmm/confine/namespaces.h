/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of its own for a process of ours (namespaces(7)), and a root directory that is empty.
 */
#ifndef MICROVM_CONFINE_NAMESPACES_H
#define MICROVM_CONFINE_NAMESPACES_H

#include <stdbool.h>

#include "vmm/base/error.h"

/*
 * What clone(2) may be asked for, the most first; the last is 0. A process that cannot have one set
 * is made with the next. `attempt` counts from 0; returns -1 when there is none left.
 */
int namespaces_flags(unsigned attempt);

/*
 * In the new process, before execve(2): with CLONE_NEWUSER among its flags it becomes root of its
 * user namespace, and is the caller's user outside of it. Makes only system calls. Returns 0 or -1
 * with errno.
 */
int namespaces_map_user(int flags, unsigned uid, unsigned gid);

/*
 * In a mount namespace of its own: replaces the root directory by a read-only one with nothing in
 * it. Wants CAP_SYS_ADMIN. Where the present root is no mount point, and cannot be replaced, the
 * process is confined to the new one by chroot(2). Errors: of mount(2), pivot_root(2).
 */
int namespaces_empty_root(struct error *err);

#endif
