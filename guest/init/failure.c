/* SPDX-License-Identifier: Apache-2.0 */
/* The error object of init; see failure.h for its contract. */
#include "guest/init/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct failure *failure, const char *format, ...)
{
    va_list args;

    failure->status = FAILURE_RUNNER;
    va_start(args, format);
    vsnprintf(failure->text, sizeof(failure->text), format, args);
    va_end(args);
    return -1;
}

int failure_set_errno(struct failure *failure, const char *format, ...)
{
    const char *reason = strerror(errno);
    size_t used;
    va_list args;

    failure->status = FAILURE_RUNNER;
    va_start(args, format);
    vsnprintf(failure->text, sizeof(failure->text), format, args);
    va_end(args);
    used = strlen(failure->text);
    snprintf(failure->text + used, sizeof(failure->text) - used, ": %s", reason);
    return -1;
}
