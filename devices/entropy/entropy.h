/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device fed by getrandom(2) (virtio 1.2, 5.4). */
#ifndef MICROVM_DEVICES_ENTROPY_ENTROPY_H
#define MICROVM_DEVICES_ENTROPY_ENTROPY_H

#include "devices/virtio/device.h"
#include "vmm/base/error.h"

int entropy_create(struct virtio_device **device, struct error *err);

/* Its class, for the code that gathers what devices need. */
extern const struct virtio_device_class entropy_class;

#endif
