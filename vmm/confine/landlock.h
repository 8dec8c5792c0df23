/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock (Linux, userspace-api/landlock): opens no file by name, whether root or not. */
#ifndef MICROVM_CONFINE_LANDLOCK_H
#define MICROVM_CONFINE_LANDLOCK_H

#include "vmm/base/error.h"

/*
 * From here on the calling thread, and those that it creates, can only read beneath `directory`
 * (-1: nothing) and use no other file by name. With -1, and if the kernel supports it, they also
 * cannot reach TCP ports, abstract UNIX sockets or other processes. Open descriptors are not
 * affected. Needs no_new_privs. Returns the kernel's Landlock version, 0 if it has none. Errors:
 * those of landlock_restrict_self(2).
 */
int landlock_restrict(int directory, struct error *err);

#endif
