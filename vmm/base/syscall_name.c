/* SPDX-License-Identifier: Apache-2.0 */
/* Names of system calls; see syscall_name.h. */
#include "vmm/base/syscall_name.h"

#include <stddef.h>

#include "vmm/base/bytes.h"

/* Arrays of characters instead of pointers, each of which would need a relocation. */
static const char names[][24] = {
#include <gen/syscall_names.inc>
};

const char *syscall_name(uint32_t number)
{
    return number < ARRAY_LENGTH(names) && names[number][0] ? names[number] : NULL;
}
