/* SPDX-License-Identifier: Apache-2.0 */
/* The guest-physical address space; layout.h has the map. */
#include "vmm/arch/x86_64/layout.h"

#include <errno.h>

#include "devices/serial/serial.h"
#include "guest/doorbell_abi.h"
#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"

int arch_memory_layout(uint64_t bytes, struct guest_memory *memory, struct error *err)
{
    if (bytes > UINT64_C(1) << 40)
        return error_set(err, EINVAL, "memory: more than 1 TiB is not supported");
    bytes = align_up(bytes, LAYOUT_PAGE);
    memory->count = 1;
    memory->regions[0] = (struct guest_memory_region){.base = 0, .size = bytes};
    if (bytes > LAYOUT_HOLE) {
        memory->count = 2;
        memory->regions[0].size = LAYOUT_HOLE;
        memory->regions[1] =
            (struct guest_memory_region){.base = LAYOUT_HIGH, .size = bytes - LAYOUT_HOLE};
    }
    return 0;
}

/*
 * IO-APIC pins. 16 to 23 first: they are not also connected to the legacy interrupt controller.
 * Then those of the first 16 that no PC device uses.
 */
struct arch_device_slot arch_device_slot(unsigned index)
{
    static const uint8_t pins[ARCH_DEVICE_SLOTS] = {16, 17, 18, 19, 20, 21, 22, 23,
                                                    5,  6,  7,  9,  10, 11, 14, 15};

    return (struct arch_device_slot){
        .base = LAYOUT_DEVICES + (uint64_t)index * LAYOUT_PAGE,
        .interrupt = pins[index],
    };
}

struct arch_address arch_doorbell(void)
{
    return (struct arch_address){.bus = ARCH_BUS_PORT, .address = DOORBELL_PORT};
}

struct arch_address arch_serial(void)
{
    return (struct arch_address){.bus = ARCH_BUS_PORT, .address = SERIAL_PORT};
}

uint64_t arch_memory_minimum(void)
{
    return UINT64_C(32) << 20;
}
