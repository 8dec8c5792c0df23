/* SPDX-License-Identifier: Apache-2.0 */
/* Names of counts; see counts.h. */
#include "vmm/machine/counts.h"

#include <stdarg.h>
#include <stdio.h>

void counts_visit(count_visitor *visit, void *opaque, uint64_t value, const char *format, ...)
{
    char name[64];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    visit(opaque, name, value);
}
