/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is at the other end of a network device: it takes Ethernet frames and gives them.
 *
 * With a virtio_net_hdr (virtio 1.2, 5.1.6) before each frame, in both directions, checksums and
 * segmentation pass through to whoever does them; without, every frame is complete.
 * A back end reads and writes by readv(2) and writev(2) only.
 */
#ifndef MICROVM_DEVICES_NET_BACKEND_H
#define MICROVM_DEVICES_NET_BACKEND_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/base/error.h"

#define NET_HEADER_SIZE sizeof(struct virtio_net_hdr_mrg_rxbuf) /* 12 bytes, VIRTIO_F_VERSION_1 */
#define NET_FRAME_MAX   65550 /* a packet of 65535 bytes in one Ethernet frame, and some */

struct net_backend;

struct net_backend_class {
    const char *name;
    bool has_header; /* frames come and go with a virtio_net_hdr */

    /*
     * Sends the frame in `iov`, of which iov[0] is its header, NET_HEADER_SIZE bytes. The memory of
     * the others belongs to a guest that may change it meanwhile. Returns 0 when it is sent, kept
     * to be sent later, or dropped; -EAGAIN: there is no room, and the caller keeps it;
     * -ECONNRESET: the other end is gone.
     */
    int (*send)(struct net_backend *backend, const struct iovec *iov, unsigned count);
    /*
     * Receives one frame into `iov`, of which iov[0] gets the header and the others have room for
     * NET_FRAME_MAX bytes. Returns the size of the frame without header; -EAGAIN: there is none;
     * -ECONNRESET: the other end is gone, and there will be none.
     */
    ssize_t (*receive)(struct net_backend *backend, const struct iovec *iov, unsigned count);
    /* Sends what was kept. Returns 0 when nothing is left, -EAGAIN or -ECONNRESET. Optional. */
    int (*flush)(struct net_backend *backend);
    void (*destroy)(struct net_backend *backend);
};

struct net_backend {
    const struct net_backend_class *class;
    int fd; /* non-blocking; watched for both directions */
};

/*
 * One frame a read(2) and write(2), with its header: a packet socket with PACKET_VNET_HDR (header
 * of 10 bytes), or a TAP device with IFF_VNET_HDR and a header of 12 bytes (TUNSETVNETHDRSZ).
 * `fd` is owned from then on. Errors: ENOMEM.
 */
int net_backend_datagram(int fd, size_t header_size, struct net_backend **backend,
                         struct error *err);

/*
 * A stream socket on which each frame has its size before it (32 bits, big-endian), as passt(1) and
 * QEMU speak. Nothing for the host's loopback goes through. `fd` is owned from then on. Errors:
 * ENOMEM.
 */
int net_backend_stream(int fd, struct net_backend **backend, struct error *err);

extern const struct net_backend_class net_backend_datagram_class;
extern const struct net_backend_class net_backend_stream_class;

#endif
