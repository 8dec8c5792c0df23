/* SPDX-License-Identifier: Apache-2.0 */
/* Rings the hypercall doorbell; see docs/reference/doorbell.md. */
#ifndef MICROVM_GUEST_INIT_RING_DOORBELL_H
#define MICROVM_GUEST_INIT_RING_DOORBELL_H

#include "guest/doorbell_abi.h"

void doorbell_ring(enum doorbell_call call, unsigned argument);

#endif
