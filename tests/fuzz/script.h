/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzzer's bytes mean: a script of what a driver and the world outside do to one
 * device. Half of the steps build proper chains, so that the fuzzer gets behind the first check.
 */
#ifndef MICROVM_TESTS_FUZZ_SCRIPT_H
#define MICROVM_TESTS_FUZZ_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/devices/fake_driver.h"

struct script {
    const uint8_t *at;
    size_t left;
};

/* The next bytes as a number; zeroes after the end. */
uint8_t script_u8(struct script *script);
uint16_t script_u16(struct script *script);
uint32_t script_u32(struct script *script);
uint64_t script_u64(struct script *script);

/* Fills `data` with the next bytes, and zeroes after the end. */
void script_bytes(struct script *script, void *data, size_t size);

/* An address that is mostly inside guest memory. */
uint64_t script_address(struct script *script);

/* A step of the world outside, or of a driver that knows the device. May be NULL. */
typedef void script_step(void *opaque, struct script *script);

/*
 * Plays `data` against `device`, which is taken over, and checks that the device comes to rest: one
 * that spins is as broken as one that crashes.
 */
void script_play(const uint8_t *data, size_t size, struct fake_machine *machine,
                 struct virtio_device *device, script_step *step, void *opaque);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
