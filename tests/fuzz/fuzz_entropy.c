/* SPDX-License-Identifier: Apache-2.0 */
/* The entropy device, and with it transport and queues, under any driver. */
#include <stdlib.h>

#include "devices/entropy/entropy.h"
#include "tests/fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_machine machine;
    struct virtio_device *device = NULL;

    if (entropy_create(&device, NULL) < 0)
        abort();
    script_play(data, size, &machine, device, NULL, NULL);
    return 0;
}
