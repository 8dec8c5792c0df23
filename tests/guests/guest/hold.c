/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile guest that asks for as much work as a device takes, for next to nothing. */
#include "tests/guests/guest/guest.h"

#define HOLD_SIZE 256U
#define DATA      0x200000U /* behind the guest's code; the same bytes again and again */
#define DATA_SIZE 0x500000U

enum { BLOCK_IN = 0, BLOCK_DISCARD = 11, BLOCK_WRITE_ZEROES = 13 };

static struct descriptor descriptors[HOLD_SIZE] __attribute__((aligned(16)));
static struct {
    uint16_t flags, index, ring[HOLD_SIZE + 1];
} available;
static struct {
    uint16_t flags, index;
    uint32_t ring[2 * HOLD_SIZE + 1];
} used __attribute__((aligned(4)));

/* All of the ring is the chain that begins with descriptor 0, once more each time. */
static void offer_again_and_again(uint64_t device, unsigned index, uint32_t size)
{
    *(volatile uint16_t *)&available.index = (uint16_t)size;
    finish_driver(device);
    notify(device, index);
    ring(DOORBELL_MARK, 1);
    for (;;)
        __asm__ volatile("pause");
}

static uint64_t begin(enum device_id id, unsigned index, uint32_t size)
{
    uint64_t device = find_device(id);

    begin_driver(device);
    set_queue_areas(device, index, size, (uint64_t)descriptors, (uint64_t)&available,
                    (uint64_t)&used);
    return device;
}

/* 256 requests of 254 buffers of 5 MiB each: 317 GiB. */
void hold_by_reading(void)
{
    static uint32_t header[4] = {BLOCK_IN};
    static uint8_t status;
    uint64_t device = begin(ID_BLOCK, 0, HOLD_SIZE);

    descriptors[0] = (struct descriptor){(uint64_t)header, sizeof(header), DESCRIPTOR_NEXT, 1};
    for (uint16_t i = 1; i < HOLD_SIZE - 1; i++)
        descriptors[i] = (struct descriptor){DATA, DATA_SIZE, DESCRIPTOR_NEXT | DESCRIPTOR_WRITE,
                                             (uint16_t)(i + 1)};
    descriptors[HOLD_SIZE - 1] = (struct descriptor){(uint64_t)&status, 1, DESCRIPTOR_WRITE, 0};
    offer_again_and_again(device, 0, HOLD_SIZE);
}

/* 256 requests of 16 ranges of 64 MiB each: 256 GiB. */
static void hold_by_ranges(uint32_t type)
{
    static uint32_t header[4];
    static struct {
        uint64_t sector;
        uint32_t count, flags;
    } ranges[16];
    static uint8_t status;
    uint64_t device = begin(ID_BLOCK, 0, HOLD_SIZE);

    header[0] = type;
    for (unsigned i = 0; i < 16; i++) {
        ranges[i].sector = i * 131072U;
        ranges[i].count = 131072;
        ranges[i].flags = type == BLOCK_WRITE_ZEROES;
    }
    descriptors[0] = (struct descriptor){(uint64_t)header, sizeof(header), DESCRIPTOR_NEXT, 1};
    descriptors[1] = (struct descriptor){(uint64_t)ranges, sizeof(ranges), DESCRIPTOR_NEXT, 2};
    descriptors[2] = (struct descriptor){(uint64_t)&status, 1, DESCRIPTOR_WRITE, 0};
    offer_again_and_again(device, 0, HOLD_SIZE);
}

void hold_by_discarding(void)
{
    hold_by_ranges(BLOCK_DISCARD);
}

void hold_by_zeroing(void)
{
    hold_by_ranges(BLOCK_WRITE_ZEROES);
}

/* 64 outputs of 64 buffers of 5 MiB each: 20 GiB. */
void hold_by_console(void)
{
    uint64_t device = begin(ID_CONSOLE, 1, 64);

    for (uint16_t i = 0; i < 64; i++)
        descriptors[i] =
            (struct descriptor){DATA, DATA_SIZE, i < 63 ? DESCRIPTOR_NEXT : 0, (uint16_t)(i + 1)};
    offer_again_and_again(device, 1, 64);
}

/* Everything that exits, for ever. */
void hold_by_exits(void)
{
    uint64_t console = find_device(ID_CONSOLE);
    uint64_t block = find_device(ID_BLOCK);

    for (uint32_t turn = 0;; turn++) {
        const uint8_t *at = (const uint8_t *)DATA;
        uint64_t count = 1024;

        ring(DOORBELL_MARK, 1);
        store32(console + REG_STATUS, 0);
        store32(console + REG_STATUS, turn);
        store32(block + REG_QUEUE_NOTIFY, 0);
        store32(block + REG_QUEUE_NOTIFY, turn);
        (void)load32(block + 0x100);
        store64(0xd00f0000U, turn);
        __asm__ volatile("cld; rep outsl" : "+S"(at), "+c"(count) : "d"(DOORBELL_PORT + 0x100));
    }
}
