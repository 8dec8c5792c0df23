/* SPDX-License-Identifier: Apache-2.0 */
/* The hypercall doorbell; see doorbell.h. */
#include "devices/doorbell/doorbell.h"

#include <stdio.h>
#include <string.h>

#include "vmm/base/bytes.h"

static const char *name_mark(uint32_t mark)
{
    switch (mark) {
    case DOORBELL_MARK_INIT:
        return " \"init\"";
    case DOORBELL_MARK_RUNTIME:
        return " \"runtime\"";
    case DOORBELL_MARK_CONTAINER:
        return " \"container\"";
    case DOORBELL_MARK_EXIT:
        return " \"exit\"";
    default:
        return "";
    }
}

static void trace(const struct doorbell_host *host, uint32_t value)
{
    static const char *const calls[] = {
        [DOORBELL_NULL] = "null call",
        [DOORBELL_MARK] = "mark",
        [DOORBELL_EXIT] = "exit with status",
        [DOORBELL_PANIC] = "panic",
    };
    uint32_t call = value & 0xff;
    uint32_t argument = value >> 8;
    char line[80];

    if (!host->trace)
        return;
    snprintf(line, sizeof(line), "write of 0x%08x = %s %u%s", value,
             call < ARRAY_LENGTH(calls) ? calls[call] : "unknown call", argument,
             call == DOORBELL_MARK ? name_mark(argument) : "");
    host->trace(host->opaque, line);
}

void doorbell_write(struct doorbell *doorbell, const void *data, uint32_t size)
{
    const struct doorbell_host *host = &doorbell->host;
    uint32_t value;
    uint32_t argument;

    __atomic_fetch_add(&doorbell->calls, 1, __ATOMIC_RELAXED);
    if (size != sizeof(value))
        return;
    value = load_le32(data);
    argument = value >> 8;
    trace(host, value);
    switch (value & 0xff) {
    case DOORBELL_MARK:
        host->mark(host->opaque, argument);
        break;
    case DOORBELL_EXIT:
        host->exit(host->opaque, (uint8_t)argument);
        break;
    case DOORBELL_PANIC:
        host->panic(host->opaque);
        break;
    default: /* DOORBELL_NULL, and calls of a later version */
        break;
    }
}

void doorbell_read(struct doorbell *doorbell, void *data, uint32_t size)
{
    uint8_t signature[4];

    __atomic_fetch_add(&doorbell->calls, 1, __ATOMIC_RELAXED);
    store_le32(signature, DOORBELL_SIGNATURE);
    memset(data, 0, size);
    memcpy(data, signature, size < sizeof(signature) ? size : sizeof(signature));
}
