/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a guest's console: the first MiB in a file, the last lines in memory. */
#ifndef MICROVM_MONITOR_CONSOLE_LOG_H
#define MICROVM_MONITOR_CONSOLE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/monitor/control_protocol.h"

#define CONSOLE_LOG_FILE_MAX (1U << 20)

struct console_log {
    int fd; /* -1 = no file; not owned */
    size_t file_size;
    size_t written;                 /* bytes ever seen */
    char ring[CONTROL_CONSOLE_MAX]; /* the last of them */
};

void console_log_add(struct console_log *log, const void *data, size_t size);

/* The last lines as plain ASCII text: no escape sequences, no control bytes except newline. */
void console_log_tail(const struct console_log *log, char text[CONTROL_CONSOLE_MAX + 1]);

/* Copies to `line` why Linux panicked, and whether it could not unpack its initramfs; false if
 * there is no panic. */
bool console_log_find_panic(const char *tail, char *line, size_t size);

#endif
