/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's file systems, from the bare initramfs to the container's root. */
#ifndef MICROVM_GUEST_INIT_MOUNT_H
#define MICROVM_GUEST_INIT_MOUNT_H

#include <stdbool.h>

#include "guest/init/failure.h"

/* Makes a root that can be pivoted away from, and mounts proc, dev and cgroup2. */
int mount_system(struct failure *failure);

/* Mounts the image's root with its writable layer at PROTOCOL_ROOTFS_PATH. */
int mount_container_root(bool overlay_on_disk, struct failure *failure);

#endif
