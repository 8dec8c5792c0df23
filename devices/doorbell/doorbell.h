/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypercall doorbell, for what does not justify a virtio device. Its ABI is
 * docs/reference/doorbell.md. guest/doorbell_abi.h defines the numbers, for guest and host.
 */
#ifndef MICROVM_DEVICES_DOORBELL_DOORBELL_H
#define MICROVM_DEVICES_DOORBELL_DOORBELL_H

#include <stdint.h>

#include "guest/doorbell_abi.h"

struct doorbell_host {
    void *opaque;
    /* A boot mark (DOORBELL_MARK_…): a guest may send any 24-bit number. */
    void (*mark)(void *opaque, uint32_t mark);
    /* The guest requests the end of its VM with `status` (0-255). */
    void (*exit)(void *opaque, uint8_t status);
    /* The guest's kernel or init panicked; a power-off may follow. */
    void (*panic)(void *opaque);
    /* One line about a call, for a reader; NULL = no tracer. */
    void (*trace)(void *opaque, const char *line);
};

struct doorbell {
    struct doorbell_host host;
    uint64_t calls; /* all calls, including null calls */
};

/*
 * A write of `size` bytes to the doorbell. Other sizes and unknown calls are counted and ignored. A
 * read returns DOORBELL_SIGNATURE, so that a guest can detect it. vCPU threads.
 */
void doorbell_write(struct doorbell *doorbell, const void *data, uint32_t size);
void doorbell_read(struct doorbell *doorbell, void *data, uint32_t size);

#endif
