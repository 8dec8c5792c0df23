/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio device for tests of the transport; see probe_device.h. */
#include "tests/unit/devices/probe_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tell(struct virtio_device *device, char what)
{
    struct probe *probe = (struct probe *)device;
    size_t used = strlen(probe->told);

    probe->resets += what == 'R';
    probe->activations += what == 'A';
    if (used + 1 < sizeof(probe->told))
        probe->told[used] = what;
}

static void probe_queue(struct virtio_device *device, unsigned index)
{
    tell(device, (char)('0' + index));
}

static void probe_activate(struct virtio_device *device)
{
    tell(device, 'A');
}

static void probe_reset(struct virtio_device *device)
{
    tell(device, 'R');
}

static void probe_read(struct virtio_device *device, uint32_t offset, void *data, uint32_t size)
{
    const struct probe *probe = (const struct probe *)device;

    virtio_device_copy_config(probe->config, sizeof(probe->config), offset, data, size);
}

static void probe_write(struct virtio_device *device, uint32_t offset, const void *data,
                        uint32_t size)
{
    struct probe *probe = (struct probe *)device;

    if (offset < sizeof(probe->config) && size <= sizeof(probe->config) - offset)
        memcpy(probe->config + offset, data, size);
}

static void probe_save(const struct virtio_device *device, void *state)
{
    memcpy(state, &((const struct probe *)device)->value, 4);
}

static int probe_load(struct virtio_device *device, const void *state)
{
    struct probe *probe = (struct probe *)device;

    memcpy(&probe->value, state, 4);
    return probe->value == PROBE_VALUE_REFUSED ? -EINVAL : 0;
}

static void probe_destroy(struct virtio_device *device)
{
    free(device);
}

static const struct virtio_device_class probe_class = {
    .name = "probe",
    .device_id = 77,
    .features = PROBE_FEATURE,
    .queue_count = PROBE_QUEUE_COUNT,
    .queue_names = {"first", "second"},
    .queue_size_max = 16,
    .state_size = 4,
    .handle_queue = probe_queue,
    .read_config = probe_read,
    .write_config = probe_write,
    .activate = probe_activate,
    .reset = probe_reset,
    .save = probe_save,
    .load = probe_load,
    .destroy = probe_destroy,
};

void probe_create(struct fake_machine *machine)
{
    struct probe *made = calloc(1, sizeof(*made));

    if (!made)
        abort();
    made->device.class = &probe_class;
    made->device.features = probe_class.features;
    fake_machine_create(machine, &made->device);
}
