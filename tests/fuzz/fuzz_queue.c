/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking chains out of guest memory that is all of the fuzzer's making, and touching each
 * byte of what comes out.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/queue.h"
#include "tests/fuzz/script.h"

#define MEMORY_SIZE 1024U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    uint8_t *low = aligned_alloc(16, MEMORY_SIZE);
    uint8_t *high = aligned_alloc(16, MEMORY_SIZE);
    struct guest_memory memory = {
        .regions = {{0, MEMORY_SIZE, low}, {UINT64_MAX - MEMORY_SIZE + 1, MEMORY_SIZE, high}},
        .count = 2,
    };
    struct virtqueue queue = {
        .size_max = VIRTQUEUE_SIZE_MAX,
        .size = (uint16_t)(1U << script_u8(&script) % 6),
        .indirect = script_u8(&script) & 1,
        .event_index = script_u8(&script) & 1,
        .descriptors = script_u8(&script) * 16U,
        .available = script_u8(&script) * 4U,
        .used = script_u8(&script) * 4U,
        .next_available = script_u16(&script),
    };
    uint8_t bytes[MEMORY_SIZE];

    if (!low || !high)
        abort();
    memset(high, 0, MEMORY_SIZE);
    script_bytes(&script, low, MEMORY_SIZE);
    virtqueue_start(&queue, &memory);
    for (unsigned turn = 0; turn < 2U * VIRTQUEUE_SIZE_MAX; turn++) {
        struct virtqueue_chain chain;

        if (virtqueue_pop(&queue, &memory, &chain) <= 0)
            break;
        if (chain.readable_count + chain.writable_count > VIRTQUEUE_SEGMENTS_MAX ||
            chain.head >= queue.size)
            abort();
        for (size_t at = 0; virtqueue_chain_read(&chain, at, bytes, sizeof(bytes)) > 0;)
            at += sizeof(bytes);
        virtqueue_chain_write(&chain, chain.writable_size / 2, bytes, sizeof(bytes));
        virtqueue_push_used(&queue, chain.head, (uint32_t)chain.writable_size);
        virtqueue_needs_interrupt(&queue);
    }
    free(low);
    free(high);
    return 0;
}
