/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that say nothing about the object, but that the system is short of something. */
#ifndef MICROVM_BASE_SHORTAGE_H
#define MICROVM_BASE_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Is `code` (positive errno) a want of memory or descriptors, or a device that fails: may the same
 * go well later? */
static inline bool is_shortage(int code)
{
    return code == ENOMEM || code == EMFILE || code == ENFILE || code == EIO;
}

#endif
