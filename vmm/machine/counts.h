/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: how the parts of a machine tell what they have counted; the names are in machine.h. */
#ifndef MICROVM_MACHINE_COUNTS_H
#define MICROVM_MACHINE_COUNTS_H

#include <stdint.h>

typedef void count_visitor(void *opaque, const char *name, uint64_t value);

#endif
