/* SPDX-License-Identifier: Apache-2.0 */
/* Makes what the runtime mounts on, in the container's root. */
#ifndef MICROVM_GUEST_INIT_TARGETS_H
#define MICROVM_GUEST_INIT_TARGETS_H

#include "guest/init/failure.h"

/*
 * Makes the targets that PROTOCOL_TARGETS lists, with their parents, where the image does not have
 * them. Symbolic links are followed within the root as if it were entered, also one that leads to
 * nothing: then what it leads to is made. Fails when the image has a directory where a file is
 * needed, or the other way round.
 */
int targets_make(const char *directory, struct failure *failure);

#endif
