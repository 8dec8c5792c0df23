/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a guest's console; see console_log.h. */
#include "vmm/monitor/console_log.h"

#include <stdio.h>
#include <string.h>

#include "vmm/base/io.h"
#include "vmm/base/text.h"

#define PANIC     "Kernel panic - not syncing"
#define UNPACKING "Initramfs unpacking failed"

void console_log_add(struct console_log *log, const void *data, size_t size)
{
    const char *at = data;
    size_t room = CONSOLE_LOG_FILE_MAX - log->file_size;
    size_t part = size < room ? size : room;

    /* If the log cannot be written (disk full), it ends; the guest goes on. */
    if (log->fd >= 0 && part > 0) {
        if (io_write_all(log->fd, at, part) < 0)
            log->fd = -1;
        log->file_size += part;
    }
    if (size > sizeof(log->ring)) {
        log->written += size - sizeof(log->ring);
        at += size - sizeof(log->ring);
        size = sizeof(log->ring);
    }
    for (size_t i = 0; i < size; i++)
        log->ring[(log->written + i) % sizeof(log->ring)] = at[i];
    log->written += size;
}

void console_log_tail(const struct console_log *log, char text[CONTROL_CONSOLE_MAX + 1])
{
    size_t count = log->written < sizeof(log->ring) ? log->written : sizeof(log->ring);
    bool escape = false;
    size_t used = 0;

    for (size_t i = log->written - count; i < log->written; i++) {
        char byte = log->ring[i % sizeof(log->ring)];

        if (escape) { /* up to the letter that ends it */
            escape = (byte < 'A' || byte > 'Z') && (byte < 'a' || byte > 'z');
        } else if (byte == '\033') {
            escape = true;
        } else if (byte == '\n' || byte == '\t' || (unsigned char)byte >= ' ') {
            text[used++] = byte; /* a carriage return, a bell: dropped */
        }
    }
    text[used] = '\0';
    text_clean_lines(text, used);
}

static int line_length(const char *at)
{
    return (int)strcspn(at, "\r\n");
}

bool console_log_find_panic(const char *tail, char *line, size_t size)
{
    const char *at = strstr(tail, PANIC);
    const char *unpacking = strstr(tail, UNPACKING);

    if (!at)
        return false;
    if (unpacking)
        snprintf(
            line, size,
            "%.*s; %.*s: give the kernel its initrd as an uncompressed cpio archive, or give a "
            "kernel that can unpack it",
            line_length(at), at, line_length(unpacking), unpacking);
    else
        snprintf(line, size, "%.*s", line_length(at), at);
    return true;
}
