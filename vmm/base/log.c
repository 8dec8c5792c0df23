/* SPDX-License-Identifier: Apache-2.0 */
/* Write a log message as one write(2), so that lines of several processes do not mix. */
#include "vmm/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/text.h"

static int log_fd = STDERR_FILENO;
static enum log_level log_max = LOG_LEVEL_WARNING;

void log_configure(int fd, enum log_level level)
{
    log_fd = fd;
    log_max = level;
}

static void write_message(enum log_level level, const char *format, va_list args)
{
    static const char *const names[] = {"", "warning: ", "info: ", "debug: "};
    char line[1200];
    size_t used;

    if (level > log_max)
        return;
    used = (size_t)snprintf(line, sizeof(line), "microvm: %s", names[level]);
    /* It may quote a guest or an image. */
    text_vformat(line + used, sizeof(line) - used - 1, format, args);
    used = strlen(line);
    line[used++] = '\n';
    if (write(log_fd, line, used) < 0)
        return; /* There is nowhere to report it. */
}

void log_message(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_message(level, format, args);
    va_end(args);
}

void log_limited(unsigned *counter, const char *format, ...)
{
    va_list args;

    if (__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED) >= LOG_LIMIT)
        return;
    va_start(args, format);
    write_message(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}
