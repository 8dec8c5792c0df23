/* SPDX-License-Identifier: Apache-2.0 */
/* The VM described as a device tree. */
#ifndef MICROVM_MACHINE_DEVICE_TREE_H
#define MICROVM_MACHINE_DEVICE_TREE_H

#include <stddef.h>

#include "vmm/arch/arch.h"
#include "vmm/base/error.h"

/*
 * Writes the flattened tree of `vcpu_count` processors and `device_count` virtio-mmio devices, in
 * the slots arch_device_slot(0..), to `tree`, of at most `limit` bytes and aligned to 8.
 * Returns its size, or -ENOSPC.
 */
long tree_build(unsigned vcpu_count, unsigned device_count, void *tree, size_t limit,
                struct error *err);

#endif
