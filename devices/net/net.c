/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio network device with one pair of queues (virtio 1.2, 5.1).
 *
 * Queue 0 carries frames to the guest, queue 1 from it. A frame from the guest goes to the back end
 * straight from the driver's buffers. A frame to the guest is received straight into the driver's
 * next buffer; what does not fit is in `tail` for a moment and copied into further ones
 * (VIRTIO_NET_F_MRG_RXBUF). When the driver has not offered enough of them, the frame waits, whole,
 * in `pending`, and nothing more is received: so no frame is lost here, and memory is bounded.
 *
 * The header before each frame is the driver's and the kernel's business; what the driver did not
 * negotiate does not reach it.
 */
#include "devices/net/net.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

enum { RECEIVE_QUEUE, TRANSMIT_QUEUE, QUEUE_COUNT };

#define QUEUE_SIZE     256
#define PARTS_MAX      (VIRTQUEUE_SEGMENTS_MAX + 2) /* a header, segments, the tail */
#define NUM_BUFFERS_AT offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers)
#define FEATURE(n)     (1ULL << (VIRTIO_NET_F_##n))

/* What a back end without headers cannot do. */
#define HEADER_FEATURES                                                                            \
    (FEATURE(CSUM) | FEATURE(GUEST_CSUM) | FEATURE(HOST_TSO4) | FEATURE(HOST_TSO6) |               \
     FEATURE(HOST_ECN) | FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6) | FEATURE(GUEST_ECN))

struct net {
    struct virtio_device device;
    struct net_backend *backend;
    struct net_options options;
    bool link_down;        /* the other end is gone */
    bool receive_wanted;   /* the driver has buffers: watch for frames */
    bool transmit_blocked; /* the back end is full: watch for room */
    uint32_t watched;      /* events requested from the host so far */
    size_t pending_size;   /* bytes in `pending`, header included; 0 = none */
    uint8_t pending[NET_HEADER_SIZE + NET_FRAME_MAX];
    uint8_t tail[NET_FRAME_MAX];
};

static struct net *net_of(struct virtio_device *device)
{
    return (struct net *)device;
}

static void handle_fd(void *opaque, uint32_t events);

static void update_watch(struct net *net)
{
    const struct device_host *host = &net->device.host;
    uint32_t events = (net->receive_wanted ? EPOLLIN : 0) | (net->transmit_blocked ? EPOLLOUT : 0);

    if (net->link_down)
        events = 0;
    if (events == net->watched)
        return;
    net->watched = events;
    host->watch_fd(host->opaque, net->backend->fd, events, handle_fd, net);
}

static void lose_link(struct net *net)
{
    if (net->link_down)
        return;
    net->link_down = true;
    net->receive_wanted = net->transmit_blocked = false;
    update_watch(net);
    log_warning("network: the other end has closed the connection; the guest's link is down");
    virtio_device_config_changed(&net->device);
}

/* ---- to the guest ---- */

/* Whether the driver has negotiated what this header asks of it. */
static bool header_is_acceptable(const struct net *net,
                                 const struct virtio_net_hdr_mrg_rxbuf *header)
{
    uint64_t negotiated = net->device.negotiated;

    if ((header->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !(negotiated & FEATURE(GUEST_CSUM)))
        return false;
    switch (header->hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return negotiated & FEATURE(GUEST_TSO4);
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return negotiated & FEATURE(GUEST_TSO6);
    default:
        return false;
    }
}

/* Fills chains with the frame in `pending`, header first. Returns 1 with *count of them in `used`,
 * to be pushed; 0 when there are too few, and then it has undone all pops; or -EINVAL, -EAGAIN. */
static int fill_chains(struct net *net, struct virtqueue_used used[QUEUE_SIZE], unsigned *count)
{
    struct virtio_device *device = &net->device;
    const unsigned limit = device->negotiated & FEATURE(MRG_RXBUF) ? QUEUE_SIZE : 1;
    struct virtqueue_chain chain;
    size_t done = 0;
    int rc = 0;

    *count = 0;
    while (done < net->pending_size && *count < limit &&
           (rc = virtio_device_pop(device, RECEIVE_QUEUE, &chain)) > 0) {
        size_t part =
            virtqueue_chain_write(&chain, 0, net->pending + done, net->pending_size - done);

        used[(*count)++] = (struct virtqueue_used){chain.head, (uint32_t)part};
        done += part;
        if (part == 0) {
            rc = -EINVAL; /* no room for anything */
            break;
        }
    }
    if (done == net->pending_size)
        return 1;
    for (unsigned i = 0; i < *count; i++)
        virtqueue_undo_pop(&device->queues[RECEIVE_QUEUE], 0);
    if (*count == limit)
        net->pending_size = 0; /* it will never fit: lost, as on a wire */
    return rc > 0 ? 0 : rc;
}

/*
 * Delivers the frame in `pending`. num_buffers is known only at the end, and all used buffers of a
 * frame must appear at once: so the chains are filled, the number is written into the first one,
 * and then they are pushed together. Returns 1, or what fill_chains() returns.
 */
static int deliver_pending(struct net *net)
{
    struct virtio_device *device = &net->device;
    struct virtqueue_used used[QUEUE_SIZE];
    unsigned count = 0;
    int rc = fill_chains(net, used, &count);

    if (net->pending_size == 0)
        virtio_device_spend(device, 0); /* a lost frame is work, too */
    if (rc != 1)
        return net->pending_size == 0 ? 1 : rc;
    if (count != load_le16(net->pending + NUM_BUFFERS_AT)) { /* again: the chains are the same */
        for (unsigned i = 0; i < count; i++)
            virtqueue_undo_pop(&device->queues[RECEIVE_QUEUE], 0);
        store_le16(net->pending + NUM_BUFFERS_AT, (uint16_t)count);
        rc = fill_chains(net, used, &count);
        if (rc != 1)
            return rc;
    }
    virtqueue_push_used_batch(&device->queues[RECEIVE_QUEUE], used, count);
    virtio_device_spend(device, net->pending_size);
    net->pending_size = 0;
    return 1;
}

/* Keeps a frame of which the beginning is in a chain that is put back, and the rest in `tail`. */
static void keep_pending(struct net *net, const struct virtio_net_hdr_mrg_rxbuf *header,
                         const struct iovec *room, unsigned count, size_t size)
{
    uint8_t *at = net->pending + NET_HEADER_SIZE;
    size_t left = size;

    memcpy(net->pending, header, NET_HEADER_SIZE);
    for (unsigned i = 0; i < count && left > 0; i++) {
        size_t part = left < room[i].iov_len ? left : room[i].iov_len;

        memcpy(at, room[i].iov_base, part);
        at += part;
        left -= part;
    }
    memcpy(at, net->tail, left);
    net->pending_size = NET_HEADER_SIZE + size;
}

/* Receives one frame into `chain`, or into `pending` if it is too large for that. Returns 1 when
 * the chain is used, 0 when it is not, or -EAGAIN, -ECONNRESET: there is no frame. */
static int receive_into(struct net *net, const struct virtqueue_chain *chain)
{
    struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 0};
    struct iovec parts[PARTS_MAX] = {{&header, sizeof(header)}};
    unsigned count = virtqueue_slice(virtqueue_chain_writable(chain), chain->writable_count,
                                     NET_HEADER_SIZE, NET_FRAME_MAX, parts + 1);
    size_t room = (size_t)chain->writable_size - NET_HEADER_SIZE;
    ssize_t size;

    parts[1 + count] = (struct iovec){net->tail, sizeof(net->tail)};
    size = net->backend->class->receive(net->backend, parts, count + 2);
    if (size < 0)
        return (int)size;
    if (size > NET_FRAME_MAX || !header_is_acceptable(net, &header))
        return 0; /* lost */
    header.num_buffers = htole16(1);
    if ((size_t)size > room) {
        keep_pending(net, &header, parts + 1, count, (size_t)size);
        return 0;
    }
    virtqueue_chain_write(chain, 0, &header, sizeof(header));
    virtqueue_push_used(&net->device.queues[RECEIVE_QUEUE], chain->head,
                        (uint32_t)(NET_HEADER_SIZE + (size_t)size));
    virtio_device_spend(&net->device, NET_HEADER_SIZE + (size_t)size);
    return 1;
}

/* One frame. Returns 1, 0 (the driver has no buffers for it), -ENODATA (there is no frame), or the
 * error of virtio_device_pop(). */
static int receive_one(struct net *net)
{
    struct virtio_device *device = &net->device;
    struct virtqueue_chain chain;
    int rc;

    if (net->pending_size > 0)
        return deliver_pending(net);
    rc = virtio_device_pop(device, RECEIVE_QUEUE, &chain);
    if (rc <= 0)
        return rc;
    if (chain.writable_size < NET_HEADER_SIZE)
        return -EINVAL;
    rc = receive_into(net, &chain);
    if (rc == 1)
        return 1;
    virtqueue_undo_pop(&device->queues[RECEIVE_QUEUE], 0);
    if (rc == -ECONNRESET)
        lose_link(net);
    if (rc < 0)
        return -ENODATA;
    virtio_device_spend(device, 0); /* a lost frame is work, too */
    return 1;
}

static void receive_frames(struct net *net)
{
    int rc = 1;

    while (rc == 1 && !net->link_down)
        rc = receive_one(net);
    net->receive_wanted = rc == -ENODATA;
    update_watch(net);
    virtio_device_end_turn(&net->device, RECEIVE_QUEUE, rc == -ENODATA ? 0 : rc,
                           "a bad buffer to receive into");
}

/* ---- from the guest ---- */

/* Returns 0 when the chain is done, or -EAGAIN: the back end has no room. */
static int transmit_chain(struct net *net, const struct virtqueue_chain *chain)
{
    struct virtio_net_hdr_mrg_rxbuf header;
    struct iovec parts[PARTS_MAX] = {{&header, sizeof(header)}};
    size_t size = (size_t)chain->readable_size - NET_HEADER_SIZE;
    unsigned count;
    int rc;

    virtqueue_chain_read(chain, 0, &header, sizeof(header));
    if (net->link_down || size == 0 || size > NET_FRAME_MAX)
        return 0; /* lost */
    count = virtqueue_slice(virtqueue_chain_readable(chain), chain->readable_count, NET_HEADER_SIZE,
                            size, parts + 1);
    rc = net->backend->class->send(net->backend, parts, count + 1);
    if (rc == -ECONNRESET)
        lose_link(net);
    return rc == -EAGAIN ? -EAGAIN : 0;
}

/* What is left of a frame goes out when there is room. */
static void flush(struct net *net)
{
    int rc = 0;

    if (net->backend->class->flush && !net->link_down)
        rc = net->backend->class->flush(net->backend);
    if (rc == -EAGAIN)
        net->transmit_blocked = true;
    else if (rc < 0)
        lose_link(net);
}

static void transmit_frames(struct net *net)
{
    struct virtio_device *device = &net->device;
    struct virtqueue *queue = &device->queues[TRANSMIT_QUEUE];
    struct virtqueue_chain chain;
    int rc;

    net->transmit_blocked = false;
    while ((rc = virtio_device_pop(device, TRANSMIT_QUEUE, &chain)) > 0) {
        if (chain.readable_size < NET_HEADER_SIZE) {
            rc = -EINVAL;
            break;
        }
        if (transmit_chain(net, &chain) < 0) {
            virtqueue_undo_pop(queue, 0);
            net->transmit_blocked = true;
            rc = 0;
            break;
        }
        virtqueue_push_used(queue, chain.head, 0);
        virtio_device_spend(device, chain.readable_size);
    }
    flush(net);
    update_watch(net);
    virtio_device_end_turn(device, TRANSMIT_QUEUE, rc, "a bad frame to transmit");
}

/* ---- the device ---- */

static void handle_fd(void *opaque, uint32_t events)
{
    struct net *net = opaque;

    virtio_device_lock(&net->device);
    if (net->transmit_blocked && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
        transmit_frames(net);
    if (net->receive_wanted && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        receive_frames(net);
    virtio_device_unlock(&net->device);
}

static void handle_queue(struct virtio_device *device, unsigned index)
{
    struct net *net = net_of(device);

    if (index == RECEIVE_QUEUE)
        receive_frames(net);
    else if (!net->transmit_blocked)
        transmit_frames(net);
}

static void read_config(struct virtio_device *device, uint32_t offset, void *data, uint32_t size)
{
    const struct net *net = net_of(device);
    struct virtio_net_config config = {
        .status = htole16(net->link_down ? 0 : VIRTIO_NET_S_LINK_UP),
        .mtu = htole16(net->options.mtu),
    };

    memcpy(config.mac, net->options.mac, NET_MAC_SIZE);
    virtio_device_copy_config(&config, sizeof(config), offset, data, size);
}

/* What is on its way to the other end stays so; what came for the guest waits in the back end. */
static void reset(struct virtio_device *device)
{
    struct net *net = net_of(device);

    net->receive_wanted = false;
    net->transmit_blocked = false;
    net->pending_size = 0;
    update_watch(net);
}

static void destroy(struct virtio_device *device)
{
    struct net *net = net_of(device);

    reset(device);
    net->backend->class->destroy(net->backend);
    free(net);
}

static const struct syscall_rule calls[] = {
    {__NR_readv, SYSCALL_ALWAYS, 0, 0},
    {__NR_writev, SYSCALL_ALWAYS, 0, 0},
};

const struct virtio_device_class net_class = {
    .name = "net",
    .device_id = VIRTIO_ID_NET,
    .features =
        FEATURE(MAC) | FEATURE(STATUS) | FEATURE(MTU) | FEATURE(MRG_RXBUF) | HEADER_FEATURES,
    .queue_count = QUEUE_COUNT,
    .queue_names = {[RECEIVE_QUEUE] = "receiveq1", [TRANSMIT_QUEUE] = "transmitq1"},
    .queue_size_max = QUEUE_SIZE,
    .calls = {calls, ARRAY_LENGTH(calls)},
    .handle_queue = handle_queue,
    .read_config = read_config,
    .reset = reset,
    .destroy = destroy,
};

int net_create(const struct net_options *options, struct net_backend *backend,
               struct virtio_device **device, struct error *err)
{
    struct net *net = calloc(1, sizeof(*net));

    if (!net)
        return error_set_errno(err, ENOMEM, "network");
    net->device.class = &net_class;
    net->device.features = net_class.features;
    if (!backend->class->has_header)
        net->device.features &= ~HEADER_FEATURES;
    if (options->mtu == 0)
        net->device.features &= ~FEATURE(MTU);
    net->options = *options;
    net->backend = backend;
    *device = &net->device;
    return 0;
}
