/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzzer's bytes mean; see script.h. */
#include "tests/fuzz/script.h"

#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

#define QUEUE_SIZE 16
#define FEATURES   (1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_RING_F_INDIRECT_DESC)

void script_bytes(struct script *script, void *data, size_t size)
{
    size_t part = size < script->left ? size : script->left;

    memset(data, 0, size);
    memcpy(data, script->at, part);
    script->at += part;
    script->left -= part;
}

uint8_t script_u8(struct script *script)
{
    uint8_t value;

    script_bytes(script, &value, sizeof(value));
    return value;
}

uint16_t script_u16(struct script *script)
{
    uint8_t bytes[2];

    script_bytes(script, bytes, sizeof(bytes));
    return load_le16(bytes);
}

uint32_t script_u32(struct script *script)
{
    uint8_t bytes[4];

    script_bytes(script, bytes, sizeof(bytes));
    return load_le32(bytes);
}

uint64_t script_u64(struct script *script)
{
    uint8_t bytes[8];

    script_bytes(script, bytes, sizeof(bytes));
    return load_le64(bytes);
}

uint64_t script_address(struct script *script)
{
    uint8_t kind = script_u8(script);

    if (kind < 120)
        return script_u16(script);
    if (kind < 240)
        return FAKE_HIGH_BASE + script_u16(script);
    return script_u64(script);
}

static void access_register(struct fake_machine *machine, struct script *script)
{
    uint8_t data[8];
    uint8_t kind = script_u8(script);
    uint64_t offset = script_u16(script) % (VIRTIO_MMIO_SIZE + 16);
    uint32_t size = 1U + script_u8(script) % 8;

    if (kind & 1) { /* a word, as registers want it */
        offset &= ~3ULL;
        size = 4;
    }
    script_bytes(script, data, sizeof(data));
    if (kind & 2)
        virtio_mmio_write(machine->mmio, offset, data, size);
    else
        virtio_mmio_read(machine->mmio, offset, data, size);
}

static void write_memory(struct fake_machine *machine, struct script *script)
{
    uint8_t data[64];
    uint64_t address = script_address(script);
    size_t size = 1 + script_u8(script) % sizeof(data);

    script_bytes(script, data, size);
    guest_memory_write(&machine->memory, GUEST_ADDR(address), data, size);
}

static void add_chain(struct fake_machine *machine, struct script *script, unsigned queue)
{
    struct fake_buffer buffers[6];
    unsigned count = 1 + script_u8(script) % ARRAY_LENGTH(buffers);
    unsigned readable = script_u8(script) % (count + 1);

    for (unsigned i = 0; i < count; i++) {
        buffers[i].address = script_address(script);
        buffers[i].size = script_u16(script);
        buffers[i].writable = i >= readable;
    }
    fake_add(machine, queue, buffers, count);
}

static void write_descriptor(struct fake_machine *machine, struct script *script, unsigned queue)
{
    uint16_t index = script_u8(script) % QUEUE_SIZE;
    uint64_t address = script_address(script);
    uint32_t size = script_u32(script);
    uint16_t flags = script_u8(script);
    uint16_t next = script_u8(script);

    fake_descriptor(machine, queue, 0, index, address, size, flags, next);
}

static void start(struct fake_machine *machine)
{
    machine->next_free = 4096;
    fake_start(machine, FEATURES, QUEUE_SIZE);
}

/* A snapshot that somebody has had a hand in. */
static void save_and_load(struct fake_machine *machine, struct script *script)
{
    size_t size = virtio_mmio_state_size(machine->mmio);
    uint8_t *state = malloc(size);
    unsigned changes = script_u8(script) % 4;

    if (!state)
        abort();
    virtio_mmio_save(machine->mmio, state);
    while (changes-- > 0) {
        size_t at = script_u16(script) % size;

        state[at] = script_u8(script);
    }
    if (virtio_mmio_load(machine->mmio, state, NULL) < 0)
        start(machine);
    free(state);
}

static void play_step(struct fake_machine *machine, struct script *script, script_step *step,
                      void *opaque)
{
    unsigned what = script_u8(script) % 16;
    unsigned queue = script_u8(script) % machine->device->class->queue_count;

    switch (what) {
    case 0:
        access_register(machine, script);
        break;
    case 1:
        write_memory(machine, script);
        break;
    case 2:
        write_descriptor(machine, script, queue);
        break;
    case 3:
        fake_offer(machine, queue, script_u16(script) % (QUEUE_SIZE + 2));
        break;
    case 4:
        save_and_load(machine, script);
        break;
    case 5:
        start(machine);
        break;
    case 6:
    case 7:
        fake_notify(machine, queue);
        fake_run(machine, 3);
        break;
    case 8:
    case 9:
    case 10:
        add_chain(machine, script, queue);
        break;
    default:
        if (step)
            step(opaque, script);
        fake_run(machine, 1);
        break;
    }
}

void script_play(const uint8_t *data, size_t size, struct fake_machine *machine,
                 struct virtio_device *device, script_step *step, void *opaque)
{
    struct script script = {data, size};

    log_configure(-1, LOG_LEVEL_ERROR);
    fake_machine_create(machine, device);
    start(machine);
    while (script.left > 0)
        play_step(machine, &script, step, opaque);
    if (!fake_run(machine, 10000))
        abort();
    fake_machine_destroy(machine);
}
