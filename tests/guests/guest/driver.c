/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least of a virtio driver; see guest.h. It waits without end: only the host knows how
 * much time has passed, and ends a guest that hangs.
 */
#include "tests/guests/guest/guest.h"

#define DEVICES 0xd0000000U

uint64_t find_device(enum device_id id)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint64_t device = DEVICES + slot * 0x1000U;

        if (load32(device + REG_DEVICE_ID) == id)
            return device;
    }
    EXPECT(false);
    return 0;
}

uint32_t interrupt_pin(uint64_t device)
{
    return 16 + (uint32_t)(device - DEVICES) / 0x1000U;
}

void begin_driver(uint64_t device)
{
    store32(device + REG_STATUS, 0);
    while (load32(device + REG_STATUS) != 0)
        ;
    store32(device + REG_STATUS, STATUS_ACK | STATUS_DRIVER);
    store32(device + REG_DRIVER_FEATURES_SELECT, 0);
    store32(device + REG_DRIVER_FEATURES, 0);
    store32(device + REG_DRIVER_FEATURES_SELECT, 1);
    store32(device + REG_DRIVER_FEATURES, 1); /* VERSION_1 */
    store32(device + REG_STATUS, STATUS_ACK | STATUS_DRIVER | STATUS_FEATURES_OK);
    EXPECT(load32(device + REG_STATUS) == (STATUS_ACK | STATUS_DRIVER | STATUS_FEATURES_OK));
}

static void set_address(uint64_t at, uint64_t address)
{
    store32(at, (uint32_t)address);
    store32(at + 4, (uint32_t)(address >> 32));
}

void set_queue_areas(uint64_t device, unsigned index, uint32_t size, uint64_t descriptors,
                     uint64_t available, uint64_t used)
{
    store32(device + REG_QUEUE_SELECT, index);
    store32(device + REG_QUEUE_SIZE, size);
    set_address(device + REG_QUEUE_DESCRIPTORS, descriptors);
    set_address(device + REG_QUEUE_AVAILABLE, available);
    set_address(device + REG_QUEUE_USED, used);
    store32(device + REG_QUEUE_READY, 1);
}

void set_queue(uint64_t device, unsigned index, struct queue *queue)
{
    unsigned char *at = (unsigned char *)queue;

    for (unsigned i = 0; i < sizeof(*queue); i++)
        ((volatile unsigned char *)at)[i] = 0;
    set_queue_areas(device, index, QUEUE_SIZE, (uint64_t)queue->descriptors,
                    (uint64_t)&queue->available, (uint64_t)&queue->used);
}

void finish_driver(uint64_t device)
{
    store32(device + REG_STATUS, STATUS_ACK | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_OK);
}

void offer(struct queue *queue, uint16_t head)
{
    volatile uint16_t *index = &queue->available.index;

    *(volatile uint16_t *)&queue->available.ring[*index % QUEUE_SIZE] = head;
    __asm__ volatile("" : : : "memory"); /* stores are in order on x86 */
    *index = (uint16_t)(*index + 1);
}

void notify(uint64_t device, unsigned index)
{
    store32(device + REG_QUEUE_NOTIFY, index);
}

bool wait_used(uint64_t device, const struct queue *queue, uint16_t count)
{
    for (unsigned turn = 0;; turn++) {
        if (*(const volatile uint16_t *)&queue->used.index == count)
            return true;
        if (turn % 256 == 255 && load32(device + REG_STATUS) & STATUS_NEEDS_RESET)
            return false;
    }
}

void wait_failed(uint64_t device)
{
    while (!(load32(device + REG_STATUS) & STATUS_NEEDS_RESET))
        ;
}

bool entropy_works(void)
{
    static struct queue queue;
    static uint8_t bytes[64];
    uint64_t device = find_device(ID_ENTROPY);
    unsigned sum = 0;

    for (unsigned i = 0; i < sizeof(bytes); i++)
        ((volatile uint8_t *)bytes)[i] = 0;
    begin_driver(device);
    set_queue(device, 0, &queue);
    finish_driver(device);
    queue.descriptors[3] = (struct descriptor){(uint64_t)bytes, sizeof(bytes), DESCRIPTOR_WRITE, 0};
    offer(&queue, 3);
    notify(device, 0);
    if (!wait_used(device, &queue, 1) || queue.used.ring[0].id != 3 ||
        queue.used.ring[0].size != sizeof(bytes))
        return false;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        sum += ((volatile uint8_t *)bytes)[i];
    return sum != 0;
}
