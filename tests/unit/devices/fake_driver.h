/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM without KVM around one device, and the driver of that device, for unit tests and fuzzers:
 * two regions of guest memory, a transport, an I/O loop that runs on request, and the guest's side
 * of virtqueues. It can follow the specification and violate every part of it.
 */
#ifndef MICROVM_TESTS_UNIT_DEVICES_FAKE_DRIVER_H
#define MICROVM_TESTS_UNIT_DEVICES_FAKE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "devices/guest_memory.h"
#include "devices/virtio/device.h"
#include "devices/virtio/mmio.h"

#ifndef FAKE_REGION_SIZE /* fuzzers need less */
#define FAKE_REGION_SIZE (2U << 20)
#endif
#define FAKE_HIGH_BASE   (4ULL << 30) /* where the second region begins; the first is at 0 */
#define FAKE_WATCHES_MAX 600

/* A queue as the driver sees it. */
struct fake_queue {
    uint16_t size;
    uint64_t descriptors, available, used; /* guest addresses */
    uint16_t next_descriptor;              /* descriptors are used round robin */
    uint16_t available_index;
    uint16_t seen_used; /* used entries popped */
};

struct fake_watch {
    int fd;
    uint32_t events;
    device_fd_handler *handler;
    void *opaque;
};

struct fake_machine {
    uint8_t *low, *high; /* FAKE_REGION_SIZE bytes each */
    struct guest_memory memory;
    uint64_t next_free; /* guest address in the low region */
    struct virtio_device *device;
    struct virtio_mmio *mmio;
    struct fake_queue queues[VIRTIO_DEVICE_QUEUES];
    struct fake_watch watches[FAKE_WATCHES_MAX];
    unsigned watch_count;
    uint32_t kicks; /* bit per queue, waiting for the I/O loop; of any thread */
    unsigned interrupts;
    unsigned fd_events; /* handler calls, to see busy loops */
    unsigned pauses;    /* of listeners that could not accept */
    char *trace;        /* the device's trace, if created with one */
    size_t trace_size;
    FILE *trace_file;
};

/* One descriptor to be. */
struct fake_buffer {
    uint64_t address;
    uint32_t size;
    bool writable;
};

/* Takes ownership of `device`. Aborts on failure, same as all functions here: a broken test has no
 * result. */
void fake_machine_create(struct fake_machine *machine, struct virtio_device *device);
/* The same, with a trace of the device; fake_trace() returns the lines since the last call. */
void fake_machine_create_telling(struct fake_machine *machine, struct virtio_device *device);
const char *fake_trace(struct fake_machine *machine);
void fake_machine_destroy(struct fake_machine *machine);

/* Allocates `size` zeroed bytes of guest memory, aligned to 16; returns the address, and where it
 * is mapped here. */
uint64_t fake_allocate(struct fake_machine *machine, size_t size);
void *fake_at(const struct fake_machine *machine, uint64_t address);

/* Registers, 32 bits. */
uint32_t fake_read(struct fake_machine *machine, uint32_t offset);
void fake_write(struct fake_machine *machine, uint32_t offset, uint32_t value);

/* Resets, negotiates `features` (VERSION_1 is added) and sets FEATURES_OK. Returns the status. */
uint32_t fake_negotiate(struct fake_machine *machine, uint64_t features);

/* Allocates a queue's areas, sets their addresses, and makes it ready. */
void fake_queue_setup(struct fake_machine *machine, unsigned index, uint16_t size);

/* All of it with queues of `size`, then DRIVER_OK. */
void fake_start(struct fake_machine *machine, uint64_t features, uint16_t size);

/* Fills descriptor `index` of the queue's table, or of the table at `table` when not 0. */
void fake_descriptor(struct fake_machine *machine, unsigned queue, uint64_t table, uint16_t index,
                     uint64_t address, uint32_t size, uint16_t flags, uint16_t next);

/* Puts `head` into the available ring and increments the index. */
void fake_offer(struct fake_machine *machine, unsigned queue, uint16_t head);

/* Builds a chain of `buffers` and makes it available. Returns the head. */
uint16_t fake_add(struct fake_machine *machine, unsigned queue, const struct fake_buffer *buffers,
                  unsigned count);

/* Writes QueueNotify. */
void fake_notify(struct fake_machine *machine, unsigned queue);

/* Takes the next used element. Returns whether there was one. */
bool fake_pop(struct fake_machine *machine, unsigned queue, uint32_t *head, uint32_t *size);

/*
 * Runs the I/O loop until nothing is left to do, or for `rounds` rounds at most. Returns whether it
 * became idle. Descriptors are polled without waiting.
 */
bool fake_run(struct fake_machine *machine, unsigned rounds);

/* Events that the device watches on `fd`. */
uint32_t fake_watched(const struct fake_machine *machine, int fd);

#endif
