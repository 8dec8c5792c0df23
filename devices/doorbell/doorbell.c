/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the hypercall doorbell; see doorbell.h. */
#include "devices/doorbell/doorbell.h"

#include <string.h>

#include "vmm/base/bytes.h"

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
    default: /* DOORBELL_NULL, and what a later version may know */
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
