/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest of the monitor's faults: it says "hello" on its console, by a queue that it sets up as
 * a driver does, then rings the doorbell for status 7. Every step is an exit.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "guest/doorbell_abi.h"
#include "tests/faults/fake_kvm.h"
#include "vmm/arch/arch.h"
#include "vmm/base/bytes.h"

#define OUTPUT_QUEUE 1
#define QUEUE_SIZE   4
#define DESCRIPTORS  0x10000U
#define AVAILABLE    0x11000U
#define USED         0x12000U
#define TEXT         0x13000U

static const struct {
    uint32_t offset, value;
} steps[] = {
    {VIRTIO_MMIO_STATUS, 0},
    {VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER},
    {VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1},
    {VIRTIO_MMIO_DRIVER_FEATURES, 1}, /* VIRTIO_F_VERSION_1 */
    {VIRTIO_MMIO_STATUS,
     VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK},
    {VIRTIO_MMIO_QUEUE_SEL, OUTPUT_QUEUE},
    {VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE},
    {VIRTIO_MMIO_QUEUE_DESC_LOW, DESCRIPTORS},
    {VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAILABLE},
    {VIRTIO_MMIO_QUEUE_USED_LOW, USED},
    {VIRTIO_MMIO_QUEUE_READY, 1},
    {VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                             VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK},
    {VIRTIO_MMIO_QUEUE_NOTIFY, OUTPUT_QUEUE},
};

static const char hello[] = "hello\n";

static void offer_text(void)
{
    const struct vring_desc descriptor = {.addr = htole64(TEXT), .len = htole32(sizeof(hello) - 1)};
    const uint16_t available[] = {0, htole16(1), 0};

    memcpy(fake_guest_memory(TEXT, sizeof(hello)), hello, sizeof(hello));
    memcpy(fake_guest_memory(DESCRIPTORS, sizeof(descriptor)), &descriptor, sizeof(descriptor));
    memcpy(fake_guest_memory(AVAILABLE, sizeof(available)), available, sizeof(available));
}

static void doorbell(struct kvm_run *run, uint32_t call, uint32_t argument)
{
    uint8_t data[4];

    store_le32(data, call | argument << 8);
    fake_exit_port(run, DOORBELL_PORT, sizeof(data), data);
}

int fake_guest_run(unsigned index, struct kvm_run *run)
{
    static unsigned at;
    uint8_t value[4];

    if (index > 0) { /* waits to be started, which nobody does */
        pause();
        return -EINTR;
    }
    if (at == 0)
        offer_text();
    if (at < ARRAY_LENGTH(steps)) {
        store_le32(value, steps[at].value);
        fake_exit_mmio(run, arch_device_slot(0).base + steps[at].offset, sizeof(value), value);
    } else if (at == ARRAY_LENGTH(steps)) {
        doorbell(run, DOORBELL_MARK, DOORBELL_MARK_INIT);
    } else if (at == ARRAY_LENGTH(steps) + 1) {
        doorbell(run, DOORBELL_EXIT, 7);
    } else {
        pause();
        return -EINTR;
    }
    at++;
    return 0;
}
