/* SPDX-License-Identifier: Apache-2.0 */
/* Trace a packet's header as one line. */
#include <inttypes.h>

#include "devices/virtio/request_trace.h"
#include "devices/vsock/vsock_private.h"

void vsock_trace(const struct vsock *vsock, unsigned queue, const struct vsock_packet *packet)
{
    static const char *const ops[] = {
        [VIRTIO_VSOCK_OP_INVALID] = "INVALID",
        [VIRTIO_VSOCK_OP_REQUEST] = "REQUEST",
        [VIRTIO_VSOCK_OP_RESPONSE] = "RESPONSE",
        [VIRTIO_VSOCK_OP_RST] = "RST",
        [VIRTIO_VSOCK_OP_SHUTDOWN] = "SHUTDOWN",
        [VIRTIO_VSOCK_OP_RW] = "RW",
        [VIRTIO_VSOCK_OP_CREDIT_UPDATE] = "CREDIT_UPDATE",
        [VIRTIO_VSOCK_OP_CREDIT_REQUEST] = "CREDIT_REQUEST",
    };
    const char *op = packet->op < ARRAY_LENGTH(ops) ? ops[packet->op] : "?";

    virtio_device_trace(&vsock->device, queue,
                        "VIRTIO_VSOCK_OP_%s (%u), from %" PRIu64 ":%u to %" PRIu64
                        ":%u, payload %u, buf_alloc %u, fwd_cnt %u, flags %u",
                        op, packet->op, packet->src_cid, packet->src_port, packet->dst_cid,
                        packet->dst_port, packet->len, packet->buf_alloc, packet->fwd_cnt,
                        packet->flags);
}
