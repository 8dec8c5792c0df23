/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's root file system on the host: the image's squashfs below, a writable
 * layer above, as guest init puts them together in a VM. Everything is mounted in the calling
 * process's mount namespace and gone with it.
 *
 * With root's rights the kernel does it (a loop device, overlayfs). Without, in a user namespace,
 * squashfuse takes the place of the loop device, and on kernels before 6.6 fuse-overlayfs that of
 * overlayfs.
 */
#ifndef MICROVM_SANDBOX_CONTAINER_ROOT_H
#define MICROVM_SANDBOX_CONTAINER_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

/* Within the instance's directory, beside PROTOCOL_BUNDLE_DIR, in which the result is. */
#define CONTAINER_ROOT_LOWER   "/lower"
#define CONTAINER_ROOT_OVERLAY "/overlay"

struct container_root {
    const char *directory; /* of the instance; the directories above exist in it */
    int image;             /* squashfs file */
    int disk;              /* file with an ext4 for the writable layer; -1 = in memory */
    uint64_t layer_bytes;  /* of a writable layer in memory, at most; 0 = the kernel's default */
    bool rootless;
    bool no_devices; /* nothing closes devices to the container: no device file may be in it */
};

/* Errors: ENOENT (a FUSE program is missing), ENOTSUP (--disk without root), ENODEV (no loop
 * device), EPERM (a device file), EIO (a program failed), of mount(2). */
int container_root_mount(const struct container_root *root, struct error *err);

#endif
