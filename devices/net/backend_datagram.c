/* SPDX-License-Identifier: Apache-2.0 */
/* A packet socket or a TAP device: one frame a system call, straight from and to guest memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/net/backend.h"
#include "devices/virtio/queue.h"
#include "vmm/base/bytes.h"

#define PARTS_MAX (VIRTQUEUE_SEGMENTS_MAX + 2)

struct datagram {
    struct net_backend backend;
    size_t header_size; /* of the kernel's: the header with or without num_buffers */
};

/* Copies `iov` with the header as long as the kernel wants it. Returns the count. */
static unsigned with_header(const struct datagram *datagram, const struct iovec *iov,
                            unsigned count, struct iovec parts[PARTS_MAX])
{
    memcpy(parts, iov, count * sizeof(*iov));
    parts[0].iov_len = datagram->header_size;
    return count;
}

/* The frames of which the kernel says EINVAL, ENOBUFS, ... are lost, as on a wire. */
static int send_frame(struct net_backend *backend, const struct iovec *iov, unsigned count)
{
    struct iovec parts[PARTS_MAX];
    ssize_t sent =
        writev(backend->fd, parts, (int)with_header((struct datagram *)backend, iov, count, parts));

    return sent < 0 && errno == EAGAIN ? -EAGAIN : 0;
}

static ssize_t receive_frame(struct net_backend *backend, const struct iovec *iov, unsigned count)
{
    const struct datagram *datagram = (struct datagram *)backend;
    struct iovec parts[PARTS_MAX];
    ssize_t got = readv(backend->fd, parts, (int)with_header(datagram, iov, count, parts));

    if (got < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? -EAGAIN : -ECONNRESET;
    if (got == 0)
        return -ECONNRESET;
    if ((size_t)got < datagram->header_size)
        return -EAGAIN;
    return got - (ssize_t)datagram->header_size;
}

static void destroy(struct net_backend *backend)
{
    close(backend->fd);
    free(backend);
}

const struct net_backend_class net_backend_datagram_class = {
    .name = "datagram",
    .has_header = true,
    .send = send_frame,
    .receive = receive_frame,
    .destroy = destroy,
};

int net_backend_datagram(int fd, size_t header_size, struct net_backend **backend,
                         struct error *err)
{
    struct datagram *datagram = calloc(1, sizeof(*datagram));

    if (!datagram)
        return error_set_errno(err, ENOMEM, "network");
    datagram->backend = (struct net_backend){&net_backend_datagram_class, fd};
    datagram->header_size = header_size;
    *backend = &datagram->backend;
    return 0;
}
