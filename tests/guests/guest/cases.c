/* SPDX-License-Identifier: Apache-2.0 */
/* What the bare-metal guest does, case by case. */
#include "tests/guests/guest/guest.h"

#define FREE_PORT     0x0e00
#define FREE_REGISTER 0xd00f0000U
#define LOCAL_APIC    0xfee00000U
#define IO_APIC       0xfec00000U
#define VECTOR        0x40
#define NOWHERE       UINT64_C(0xc1000000) /* no memory, no device */
#define SECOND_CODE   0x8000U
#define SECOND_WORD   0x6000U

uint32_t interrupt_count;
extern const uint8_t interrupt_entry[], second_start[], second_end[];

static struct queue queue;
static struct queue other;
static uint8_t buffer[4096] __attribute__((aligned(4096)));

/* ---- doorbell, ports, registers ----------------------------------------------------------------
 */

static void doorbell(void)
{
    EXPECT(in32(DOORBELL_PORT) == DOORBELL_SIGNATURE);
    ring(DOORBELL_MARK, 1);
    for (unsigned i = 0; i < 10; i++)
        ring(DOORBELL_NULL, i);
    out8(DOORBELL_PORT, DOORBELL_EXIT); /* not 32 bits wide: no call */
    out16(DOORBELL_PORT, DOORBELL_EXIT);
    out32(DOORBELL_PORT + 1, DOORBELL_VALUE(DOORBELL_EXIT, 1)); /* beside it */
    ring((enum doorbell_call)200, 0);                           /* no such call */
    ring(DOORBELL_MARK, 0xffffff);
}

static void ports(void)
{
    uint32_t words[4] = {1, 2, 3, 4};
    void *at = words;
    uint64_t count = 4;

    EXPECT(in8(FREE_PORT) == 0xff);
    EXPECT(in16(FREE_PORT) == 0xffff);
    EXPECT(in32(FREE_PORT) == 0xffffffff);
    out8(FREE_PORT, 1);
    out16(FREE_PORT, 1);
    out32(FREE_PORT, 1);
    /* Four reads of the doorbell by one instruction. */
    __asm__ volatile("cld; rep insl" : "+D"(at), "+c"(count) : "d"(DOORBELL_PORT) : "memory");
    for (unsigned i = 0; i < 4; i++)
        EXPECT(words[i] == DOORBELL_SIGNATURE);
}

static void registers(void)
{
    uint64_t device = find_device(ID_CONSOLE);

    EXPECT(load32(device + REG_MAGIC) == 0x74726976);
    EXPECT(load32(device + REG_VERSION) == 2);
    EXPECT(load32(FREE_REGISTER) == 0xffffffff);
    EXPECT(load64(FREE_REGISTER) == UINT64_MAX);
    EXPECT(load8(FREE_REGISTER) == 0xff);
    store64(FREE_REGISTER, 0);
    /* Odd widths and places of a device's registers are survived. */
    (void)load8(device + 1);
    (void)load16(device + REG_STATUS);
    (void)load64(device + REG_QUEUE_DESCRIPTORS);
    (void)load32(device + 0x1fe);
    (void)load32(device + 0xffc);
    store8(device + REG_STATUS, 1);
    store64(device + REG_QUEUE_NOTIFY, UINT64_MAX);
    store16(device + REG_QUEUE_NOTIFY, 7);
    EXPECT(load32(device + REG_MAGIC) == 0x74726976);
}

/* ---- proper use --------------------------------------------------------------------------------
 */

static void notify_without_exit(void)
{
    uint64_t device = find_device(ID_ENTROPY);

    begin_driver(device);
    set_queue(device, 0, &queue);
    finish_driver(device);
    for (unsigned i = 0; i < GUEST_NOTIFICATIONS; i++)
        notify(device, 0);
}

/* Routes `pin` of the IO-APIC to VECTOR, for an edge; switches the local APIC on. */
static void route_interrupt(uint32_t pin)
{
    static struct {
        uint16_t low, selector;
        uint8_t stack, type;
        uint16_t middle;
        uint32_t high, zero;
    } table[VECTOR + 1];
    uint64_t entry = (uint64_t)interrupt_entry;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(table) - 1, (uint64_t)table};

    table[VECTOR].low = (uint16_t)entry;
    table[VECTOR].selector = 0x10;
    table[VECTOR].type = 0x8e;
    table[VECTOR].middle = (uint16_t)(entry >> 16);
    __asm__ volatile("lidt %0" : : "m"(pointer));
    store32(LOCAL_APIC + 0xf0, 0x1ff);
    store32(IO_APIC, 0x10 + 2 * pin + 1);
    store32(IO_APIC + 0x10, 0);
    store32(IO_APIC, 0x10 + 2 * pin);
    store32(IO_APIC + 0x10, VECTOR);
}

static void entropy_interrupt(void)
{
    uint64_t device = find_device(ID_ENTROPY);

    route_interrupt(interrupt_pin(device));
    begin_driver(device);
    set_queue(device, 0, &queue);
    finish_driver(device);
    queue.descriptors[0] = (struct descriptor){(uint64_t)buffer, 16, DESCRIPTOR_WRITE, 0};
    offer(&queue, 0);
    notify(device, 0);
    while (*(volatile uint32_t *)&interrupt_count == 0)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    EXPECT(load32(device + REG_INTERRUPT_STATUS) == 1);
    store32(device + REG_INTERRUPT_ACK, 1);
    EXPECT(load32(device + REG_INTERRUPT_STATUS) == 0);
    EXPECT(*(volatile uint16_t *)&queue.used.index == 1);
}

struct block_request {
    uint32_t type, reserved;
    uint64_t sector;
};

/* One request of one sector; its status. */
static uint8_t block_do(uint64_t device, uint32_t type, uint64_t sector)
{
    static struct block_request request;
    static volatile uint8_t status;
    uint16_t done = *(volatile uint16_t *)&queue.used.index;

    request = (struct block_request){type, 0, sector};
    status = 0xee;
    queue.descriptors[0] =
        (struct descriptor){(uint64_t)&request, sizeof(request), DESCRIPTOR_NEXT, 1};
    queue.descriptors[1] = (struct descriptor){
        (uint64_t)buffer, 512, DESCRIPTOR_NEXT | (type == 0 ? DESCRIPTOR_WRITE : 0), 2};
    queue.descriptors[2] = (struct descriptor){(uint64_t)&status, 1, DESCRIPTOR_WRITE, 0};
    offer(&queue, 0);
    notify(device, 0);
    EXPECT(wait_used(device, &queue, (uint16_t)(done + 1)));
    return status;
}

static void block(void)
{
    uint64_t device = find_device(ID_BLOCK);

    begin_driver(device);
    EXPECT(load64(device + 0x100) == 8); /* sectors */
    set_queue(device, 0, &queue);
    finish_driver(device);
    EXPECT(block_do(device, 0, 7) == 0);
    EXPECT(((volatile uint8_t *)buffer)[511] == 'z'); /* what the host has put there */
    for (unsigned i = 0; i < 512; i++)
        ((volatile uint8_t *)buffer)[i] = 'g';
    EXPECT(block_do(device, 1, 3) == 0);
    EXPECT(block_do(device, 0, 8) == 1); /* beyond the end */
    EXPECT(block_do(device, 1, UINT64_MAX) == 1);
    EXPECT(block_do(device, 77, 0) == 2); /* no such request */
}

static void console_then_exit(void)
{
    static const char greeting[] = GUEST_GREETING;
    uint64_t device = find_device(ID_CONSOLE);

    begin_driver(device);
    set_queue(device, 0, &other);
    set_queue(device, 1, &queue);
    finish_driver(device);
    queue.descriptors[0] = (struct descriptor){(uint64_t)greeting, sizeof(greeting) - 1, 0, 0};
    offer(&queue, 0);
    notify(device, 1); /* and out, without waiting */
}

/* ---- hostile use -------------------------------------------------------------------------------
 */

static uint64_t start(enum device_id id, unsigned index)
{
    uint64_t device = find_device(id);

    begin_driver(device);
    set_queue(device, index, &queue);
    finish_driver(device);
    return device;
}

/* The queue of each device that carries requests from the driver. */
static const struct {
    enum device_id id;
    unsigned queue;
} targets[] = {{ID_CONSOLE, 1}, {ID_BLOCK, 0}, {ID_ENTROPY, 0}, {ID_VSOCK, 1}};

static void hostile_chains(void)
{
    static const struct descriptor bad[] = {
        {UINT64_C(0x7fffffffffff), 64, 0, 0},      /* far outside */
        {NOWHERE, 64, DESCRIPTOR_WRITE, 0},        /* in a hole */
        {0x7fff00, 0x1000, DESCRIPTOR_WRITE, 0},   /* across the end of memory */
        {UINT64_MAX - 8, 64, 0, 0},                /* wraps around */
        {0x1000, UINT32_MAX, DESCRIPTOR_WRITE, 0}, /* longer than memory */
        {0x1000, 64, DESCRIPTOR_NEXT, 0},          /* a circle */
        {0x1000, 64, DESCRIPTOR_NEXT, 60000},      /* to no descriptor */
        {0x1000, 64, DESCRIPTOR_INDIRECT, 0},      /* not negotiated */
        {0xd0000000, 64, DESCRIPTOR_WRITE, 0},     /* registers */
    };

    for (unsigned t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            uint64_t device = start(targets[t].id, targets[t].queue);

            queue.descriptors[0] = bad[i];
            offer(&queue, 0);
            notify(device, targets[t].queue);
            wait_failed(device);
        }
        /* A head that is none, and more heads than the queue has. */
        for (unsigned i = 0; i < 2; i++) {
            uint64_t device = start(targets[t].id, targets[t].queue);

            if (i == 0)
                offer(&queue, 5000);
            else
                *(volatile uint16_t *)&queue.available.index = QUEUE_SIZE + 1;
            notify(device, targets[t].queue);
            wait_failed(device);
        }
    }
    EXPECT(entropy_works());
}

static void hostile_queues(void)
{
    static const uint64_t places[] = {NOWHERE, UINT64_MAX - 15, 0x7ffff0, 0xd0000000, 3};

    for (unsigned t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
        uint64_t device = find_device(targets[t].id);

        for (unsigned i = 0; i < 3 * sizeof(places) / sizeof(places[0]); i++) {
            uint64_t areas[3] = {(uint64_t)queue.descriptors, (uint64_t)&queue.available,
                                 (uint64_t)&queue.used};

            begin_driver(device);
            areas[i % 3] = places[i / 3];
            set_queue_areas(device, targets[t].queue, QUEUE_SIZE, areas[0], areas[1], areas[2]);
            finish_driver(device);
            queue.descriptors[0] = (struct descriptor){(uint64_t)buffer, 16, DESCRIPTOR_WRITE, 0};
            offer(&queue, 0);
            notify(device, targets[t].queue);
        }
        begin_driver(device);
        set_queue_areas(device, targets[t].queue, 0, 0, 0, 0);      /* no size */
        set_queue_areas(device, targets[t].queue, 3, 0, 0, 0);      /* no power of two */
        set_queue_areas(device, targets[t].queue, 0x8000, 0, 0, 0); /* more than offered */
        set_queue_areas(device, 77, QUEUE_SIZE, 0, 0, 0);           /* no such queue */
        finish_driver(device);
        notify(device, targets[t].queue);
        notify(device, 77);
        begin_driver(device);
    }
    EXPECT(entropy_works());
}

static void notify_storm(void)
{
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned t = 0; t < sizeof(targets) / sizeof(targets[0]); t++)
            notify(0xd0000000U + t * 0x1000U, i % 5);
    }
    EXPECT(entropy_works());
}

/* The device is reset while it has a request, again and again; its memory is used anew at once. */
static void reset_during_use(void)
{
    for (unsigned i = 0; i < 50; i++) {
        uint64_t device = start(ID_ENTROPY, 0);

        for (uint16_t d = 0; d < QUEUE_SIZE; d++) {
            queue.descriptors[d] =
                (struct descriptor){(uint64_t)buffer, sizeof(buffer), DESCRIPTOR_WRITE, 0};
            offer(&queue, d);
        }
        notify(device, 0);
        store32(device + REG_STATUS, 0);
    }
    EXPECT(entropy_works());
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void random_registers(void)
{
    uint32_t state = 1;

    for (unsigned i = 0; i < 6000; i++) {
        uint64_t at =
            0xd0000000U + (next_random(&state) % SLOTS) * 0x1000U + next_random(&state) % 0x200;
        uint64_t value = next_random(&state) % 8 ? next_random(&state) % 16
                                                 : (uint64_t)next_random(&state) << 30;

        switch (next_random(&state) % 6) {
        case 0:
            store8(at, (uint8_t)value);
            break;
        case 1:
            store16(at & ~1ULL, (uint16_t)value);
            break;
        case 2:
            store64(at & ~7ULL, value);
            break;
        case 3:
            (void)load32(at & ~3ULL);
            break;
        default:
            store32(at & ~3ULL, (uint32_t)value);
            break;
        }
    }
    EXPECT(entropy_works());
}

/* ---- other ends --------------------------------------------------------------------------------
 */

static void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = {0, 0};

    __asm__ volatile("lidt %0; ud2" : : "m"(nothing));
}

static void two_processors(void)
{
    for (uint64_t i = 0; i < (uint64_t)(second_end - second_start); i++)
        store8(SECOND_CODE + i, second_start[i]);
    store32(LOCAL_APIC + 0xf0, 0x1ff);
    store32(LOCAL_APIC + 0x310, 1U << 24);
    store32(LOCAL_APIC + 0x300, 0x4500); /* INIT; KVM wants no pause after it */
    store32(LOCAL_APIC + 0x310, 1U << 24);
    store32(LOCAL_APIC + 0x300, 0x4600 | SECOND_CODE >> 12); /* start-up */
    while (load32(SECOND_WORD) != 0x5ec0d)
        __asm__ volatile("pause");
}

/* ---- what it is told of itself -----------------------------------------------------------------
 */

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid is;

    __asm__ volatile("cpuid"
                     : "=a"(is.eax), "=b"(is.ebx), "=c"(is.ecx), "=d"(is.edx)
                     : "a"(leaf), "c"(0));
    return is;
}

/* The host compares the marks: a model-specific register, and the processor's name. */
static void identity(void)
{
    const bool intel = cpuid(0).ebx == 0x756e6547;
    uint32_t low, high;

    EXPECT(cpuid(1).ecx & 1U << 31);             /* a hypervisor is there */
    EXPECT(!(cpuid(1).ecx & 1U << 5));           /* VMX */
    EXPECT(!(cpuid(0x80000001).ecx & 1U << 2));  /* SVM */
    EXPECT(!(cpuid(1).ecx & 1U << 15));          /* PDCM */
    EXPECT(cpuid(0xa).eax == 0);                 /* counters */
    EXPECT(cpuid(0x8000000a).eax == 0 || intel); /* SVM again; beyond Intel's last leaf */
    EXPECT(!intel || cpuid(0x15).ecx == 1000000000);
    EXPECT(!intel || cpuid(0x80000008).ecx == 0);
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0x1a0)); /* IA32_MISC_ENABLE */
    ring(DOORBELL_MARK, low & 0xffffff);
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
        struct cpuid name = cpuid(leaf);

        ring(DOORBELL_MARK, name.eax & 0xffffff);
        ring(DOORBELL_MARK, name.ebx & 0xffffff);
        ring(DOORBELL_MARK, name.ecx & 0xffffff);
        ring(DOORBELL_MARK, name.edx & 0xffffff);
    }
}

void guest_main(enum guest_case which);
void guest_main(enum guest_case which)
{
    switch (which) {
    case CASE_EXIT_42:
        leave(42);
        break;
    case CASE_DOORBELL:
        doorbell();
        break;
    case CASE_PANIC:
        ring(DOORBELL_PANIC, 0);
        break;
    case CASE_PORTS:
        ports();
        break;
    case CASE_REGISTERS:
        registers();
        break;
    case CASE_NOTIFY_WITHOUT_EXIT:
        notify_without_exit();
        break;
    case CASE_ENTROPY_POLLED:
        EXPECT(entropy_works());
        break;
    case CASE_ENTROPY_INTERRUPT:
        entropy_interrupt();
        break;
    case CASE_BLOCK:
        block();
        break;
    case CASE_CONSOLE_THEN_EXIT:
        console_then_exit();
        break;
    case CASE_HOSTILE_CHAINS:
        hostile_chains();
        break;
    case CASE_HOSTILE_QUEUES:
        hostile_queues();
        break;
    case CASE_NOTIFY_STORM:
        notify_storm();
        break;
    case CASE_RESET_DURING_USE:
        reset_during_use();
        break;
    case CASE_RANDOM_REGISTERS:
        random_registers();
        break;
    case CASE_TRIPLE_FAULT:
        triple_fault();
        break;
    case CASE_HALT:
        ring(DOORBELL_MARK, 1);
        for (;;)
            __asm__ volatile("cli; hlt");
    case CASE_SPIN:
        ring(DOORBELL_MARK, 1);
        for (;;)
            __asm__ volatile("pause");
    case CASE_RUN_OUTSIDE_OF_MEMORY:
        ((void (*)(void))NOWHERE)();
        break;
    case CASE_TWO_PROCESSORS:
        two_processors();
        break;
    case CASE_HOLD_BY_READING:
        hold_by_reading();
        break;
    case CASE_HOLD_BY_DISCARDING:
        hold_by_discarding();
        break;
    case CASE_HOLD_BY_ZEROING:
        hold_by_zeroing();
        break;
    case CASE_HOLD_BY_CONSOLE:
        hold_by_console();
        break;
    case CASE_HOLD_BY_EXITS:
        hold_by_exits();
        break;
    case CASE_IDENTITY:
        identity();
        break;
    }
    leave(0);
}
