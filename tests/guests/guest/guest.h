/* SPDX-License-Identifier: Apache-2.0 */
/* What bare-metal code needs: ports, registers, the doorbell, a small virtio driver. */
#ifndef TESTS_GUESTS_GUEST_H
#define TESTS_GUESTS_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/doorbell_abi.h"
#include "tests/guests/cases.h"

#define QUEUE_SIZE 8U
#define SLOTS      5U

enum device_id { ID_BLOCK = 2, ID_CONSOLE = 3, ID_ENTROPY = 4, ID_VSOCK = 19 };

/* Offsets of registers (virtio 1.2, 4.2.2). */
enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_DEVICE_FEATURES = 0x010,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SELECT = 0x024,
    REG_QUEUE_SELECT = 0x030,
    REG_QUEUE_SIZE_MAX = 0x034,
    REG_QUEUE_SIZE = 0x038,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESCRIPTORS = 0x080,
    REG_QUEUE_AVAILABLE = 0x090,
    REG_QUEUE_USED = 0x0a0,
};

enum {
    STATUS_ACK = 1,
    STATUS_DRIVER = 2,
    STATUS_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64
};
enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 };

struct descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
};

/* One queue in memory; the areas are where the driver of a hostile guest likes them to be, too. */
struct queue {
    struct descriptor descriptors[QUEUE_SIZE];
    struct {
        uint16_t flags, index, ring[QUEUE_SIZE];
    } available;
    struct {
        uint16_t flags, index;
        struct {
            uint32_t id, size;
        } ring[QUEUE_SIZE];
    } used __attribute__((aligned(4)));
};

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void store8(uint64_t at, uint8_t value)
{
    *(volatile uint8_t *)at = value;
}
static inline void store16(uint64_t at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}
static inline void store32(uint64_t at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}
static inline void store64(uint64_t at, uint64_t value)
{
    *(volatile uint64_t *)at = value;
}
static inline uint8_t load8(uint64_t at)
{
    return *(volatile uint8_t *)at;
}
static inline uint16_t load16(uint64_t at)
{
    return *(volatile uint16_t *)at;
}
static inline uint32_t load32(uint64_t at)
{
    return *(volatile uint32_t *)at;
}
static inline uint64_t load64(uint64_t at)
{
    return *(volatile uint64_t *)at;
}

static inline void ring(enum doorbell_call call, uint32_t argument)
{
    out32(DOORBELL_PORT, DOORBELL_VALUE(call, argument));
}

static inline void leave(uint8_t status)
{
    for (;;)
        ring(DOORBELL_EXIT, status);
}

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ring(DOORBELL_MARK, __LINE__);                                                         \
            leave(GUEST_FAILED);                                                                   \
        }                                                                                          \
    } while (0)

/* ---- driver.c ----------------------------------------------------------------------------------
 */

/* Base of the first device with this id; the guest fails when there is none. */
uint64_t find_device(enum device_id id);
uint32_t interrupt_pin(uint64_t device);

/* Resets the device and begins anew, up to FEATURES_OK, with no feature but VERSION_1. */
void begin_driver(uint64_t device);
void set_queue(uint64_t device, unsigned index, struct queue *queue);
/* The areas anywhere. */
void set_queue_areas(uint64_t device, unsigned index, uint32_t size, uint64_t descriptors,
                     uint64_t available, uint64_t used);
void finish_driver(uint64_t device);

/* Offers descriptors that start with `head`, and notifies. */
void offer(struct queue *queue, uint16_t head);
void notify(uint64_t device, unsigned index);
/* Waits until `count` chains have come back; false when the device needs a reset. */
bool wait_used(uint64_t device, const struct queue *queue, uint16_t count);
/* Waits until the device asks for a reset. */
void wait_failed(uint64_t device);

/* Asks the entropy device for bytes, the normal way. True when it works. */
bool entropy_works(void);

/* ---- hold.c: each rings MARK, and goes on for ever
 * ------------------------------------------------
 */

void hold_by_reading(void);
void hold_by_discarding(void);
void hold_by_zeroing(void);
void hold_by_console(void);
void hold_by_exits(void);

#endif
