/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device for tests of the transport: it records the calls that it gets. */
#ifndef MICROVM_TESTS_UNIT_DEVICES_PROBE_DEVICE_H
#define MICROVM_TESTS_UNIT_DEVICES_PROBE_DEVICE_H

#include <stdint.h>

#include "tests/unit/devices/fake_driver.h"

#define PROBE_FEATURE     (1ULL << 3) /* its only own feature */
#define PROBE_QUEUE_COUNT 2

struct probe {
    struct virtio_device device;
    char told[64]; /* one letter a call: Reset, Activate, queue 0 and 1 */
    uint8_t config[12];
    uint32_t value; /* its state */
    unsigned resets, activations;
};

#define PROBE_VALUE_REFUSED 13 /* a saved state with it is not loaded */

/* Creates a VM around a new probe, which is machine->device. */
void probe_create(struct fake_machine *machine);

#endif
