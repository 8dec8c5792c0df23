/* SPDX-License-Identifier: Apache-2.0 */
/* The error object; see error.h for its contract. */
#include "vmm/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append_format(struct error *err, const char *format, va_list args)
{
    size_t used = strlen(err->text);

    vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
}

static void append(struct error *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    append_format(err, format, args);
    va_end(args);
}

/* With the limit to raise, which libc does not name. */
static const char *reason(int code)
{
    switch (code) {
    case EMFILE:
        return "Too many open files (ulimit -n)";
    case EFBIG:
        return "File too large (ulimit -f)";
    default:
        return strerror(code);
    }
}

int error_set(struct error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;

        err->code = code;
        err->text[0] = '\0';
        va_start(args, format);
        append_format(err, format, args);
        va_end(args);
    }
    return -code;
}

int error_set_errno(struct error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;

        err->code = code;
        err->text[0] = '\0';
        va_start(args, format);
        append_format(err, format, args);
        va_end(args);
        append(err, ": %s", reason(code));
    }
    return -code;
}

int error_wrap(struct error *err, int rc, const char *format, ...)
{
    struct error inner;
    va_list args;

    if (!err)
        return rc;
    inner = *err;
    err->text[0] = '\0';
    va_start(args, format);
    append_format(err, format, args);
    va_end(args);
    append(err, ": %s", inner.text);
    return rc;
}
