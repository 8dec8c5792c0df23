/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock (Linux, userspace-api/landlock): no file by its name, as root or not. */
#ifndef MICROVM_CONFINE_LANDLOCK_H
#define MICROVM_CONFINE_LANDLOCK_H

#include "vmm/base/error.h"

/*
 * From here on the calling thread, and those that it makes, can read beneath `directory` (-1:
 * nothing), and use no file in any other way; with none, and a kernel that knows how, they also
 * reach no TCP port, abstract UNIX socket or other process. Open descriptors stay as they are.
 * Wants no_new_privs. Returns the version that the kernel speaks, 0 when it speaks none. Errors:
 * those of landlock_restrict_self(2).
 */
int landlock_restrict(int directory, struct error *err);

#endif
