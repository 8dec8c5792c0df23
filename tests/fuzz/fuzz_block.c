/* SPDX-License-Identifier: Apache-2.0 */
/* The block device over a file in memory, under any driver: the file keeps its size. */
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "tests/fuzz/script.h"
#include "vmm/base/bytes.h"

#define DISK_SIZE (100 * 512)

/* A request with a proper header, so that bounds and ranges are what is tried. */
static void request(void *opaque, struct script *script)
{
    struct fake_machine *machine = opaque;
    struct virtio_blk_outhdr header = {
        htole32(script_u8(script) % 16), 0,
        htole64(script_u8(script) & 1 ? script_u64(script) : script_u8(script))};
    uint64_t at = FAKE_HIGH_BASE + script_u16(script) / 2;
    const struct fake_buffer buffers[] = {
        {at, sizeof(header), false},
        {script_address(script), script_u16(script), script_u8(script) & 1},
        {FAKE_HIGH_BASE, 1, true},
    };

    memcpy(fake_at(machine, at), &header, sizeof(header));
    fake_add(machine, 0, buffers, 3);
    fake_notify(machine, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_machine machine;
    struct block_backend backend = {.fd = memfd_create("disk", MFD_CLOEXEC), .serial = "fuzz"};
    struct virtio_device *device = NULL;
    struct stat status;
    int disk;

    if (backend.fd < 0 || ftruncate(backend.fd, DISK_SIZE) < 0)
        abort();
    disk = dup(backend.fd);
    backend.read_only = size > 0 && (data[0] & 1);
    if (block_create(&backend, &device, NULL) < 0)
        abort();
    script_play(data, size, &machine, device, request, &machine);
    if (fstat(disk, &status) < 0 || status.st_size != DISK_SIZE)
        abort();
    close(disk);
    return 0;
}
