/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that say nothing about the object: the system is short of something. */
#ifndef MICROVM_BASE_SHORTAGE_H
#define MICROVM_BASE_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Does `code` (positive errno) mean a shortage of memory or descriptors, or a failing device? Then
 * a later attempt may succeed. */
static inline bool is_shortage(int code)
{
    return code == ENOMEM || code == EMFILE || code == ENFILE || code == EIO;
}

#endif
