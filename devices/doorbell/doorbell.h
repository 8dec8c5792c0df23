/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypercall doorbell: what virtio is too heavy for. Its ABI is
 * docs/reference/doorbell.md. The guest's side of the numbers below is guest/doorbell_abi.h, which
 * this file includes, so that there is one definition.
 */
#ifndef MICROVM_DEVICES_DOORBELL_DOORBELL_H
#define MICROVM_DEVICES_DOORBELL_DOORBELL_H

#include <stdint.h>

#include "guest/doorbell_abi.h"

struct doorbell_host {
    void *opaque;
    /* A boot mark (DOORBELL_MARK_…): `mark` is any 24-bit number a guest likes to send. */
    void (*mark)(void *opaque, uint32_t mark);
    /* The guest wants its machine to end with `status` (0-255). */
    void (*exit)(void *opaque, uint8_t status);
    /* The guest's kernel or init panicked; power-off follows or not. */
    void (*panic)(void *opaque);
    /* One line about a call, for people; NULL = nobody listens. */
    void (*trace)(void *opaque, const char *line);
};

struct doorbell {
    struct doorbell_host host;
    uint64_t calls; /* all calls, null calls among them */
};

/*
 * A write of `size` bytes to the doorbell. Anything but 4 bytes, and unknown calls, are counted and
 * ignored. A read answers DOORBELL_SIGNATURE (so a guest can probe it). vCPU threads.
 */
void doorbell_write(struct doorbell *doorbell, const void *data, uint32_t size);
void doorbell_read(struct doorbell *doorbell, void *data, uint32_t size);

#endif
