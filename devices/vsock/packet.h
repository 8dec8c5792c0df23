/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of virtio socket packets (virtio 1.2, 5.10.6), in the host's byte order. */
#ifndef MICROVM_DEVICES_VSOCK_PACKET_H
#define MICROVM_DEVICES_VSOCK_PACKET_H

#include <linux/virtio_vsock.h>
#include <stdint.h>

#include "vmm/base/bytes.h"

#define VSOCK_HEADER_SIZE sizeof(struct virtio_vsock_hdr)
#define VSOCK_HOST_CID    2U

struct vsock_packet {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port;
    uint32_t len; /* bytes of payload after the header */
    uint16_t type, op;
    uint32_t flags;
    uint32_t buf_alloc,
        fwd_cnt; /* the sender's receive buffer, and the bytes it has read from it */
};

static inline struct vsock_packet vsock_packet_decode(const struct virtio_vsock_hdr *header)
{
    return (struct vsock_packet){
        .src_cid = le64toh(header->src_cid),
        .dst_cid = le64toh(header->dst_cid),
        .src_port = le32toh(header->src_port),
        .dst_port = le32toh(header->dst_port),
        .len = le32toh(header->len),
        .type = le16toh(header->type),
        .op = le16toh(header->op),
        .flags = le32toh(header->flags),
        .buf_alloc = le32toh(header->buf_alloc),
        .fwd_cnt = le32toh(header->fwd_cnt),
    };
}

static inline struct virtio_vsock_hdr vsock_packet_encode(const struct vsock_packet *packet)
{
    return (struct virtio_vsock_hdr){
        .src_cid = htole64(packet->src_cid),
        .dst_cid = htole64(packet->dst_cid),
        .src_port = htole32(packet->src_port),
        .dst_port = htole32(packet->dst_port),
        .len = htole32(packet->len),
        .type = htole16(packet->type),
        .op = htole16(packet->op),
        .flags = htole32(packet->flags),
        .buf_alloc = htole32(packet->buf_alloc),
        .fwd_cnt = htole32(packet->fwd_cnt),
    };
}

_Static_assert(sizeof(struct virtio_vsock_hdr) == 44, "virtio 1.2, 5.10.6");

#endif
