/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of frames with their sizes: passt(1).
 *
 * passt opens sockets on the host for what the guest sends, also for its loopback addresses: what
 * is for these is dropped here. The addresses are looked at in a copy, which is what is sent: the
 * guest cannot change them in between.
 */
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/net/backend.h"
#include "devices/virtio/queue.h"
#include "vmm/base/bytes.h"

#define SIZE_FIELD sizeof(uint32_t)
#define PARTS_MAX  (VIRTQUEUE_SEGMENTS_MAX + 3)
/* Of a frame: Ethernet, and IPv6's fixed header, which is the longer one. */
#define LOOKED_AT (ETH_HLEN + 40)

struct stream {
    struct net_backend backend;
    bool broken;                   /* what came is no stream of frames */
    size_t unsent_at, unsent_size; /* of a frame that was sent in part */
    size_t read_at, read_size;     /* bytes that came and have not been taken */
    uint8_t unsent[SIZE_FIELD + NET_FRAME_MAX];
    uint8_t read[4 * (SIZE_FIELD + NET_FRAME_MAX)];
};

/* ---- addresses ---- */

/* 127/8, and 0/8, which Linux takes for itself. */
static bool is_local_ipv4(const uint8_t *address)
{
    return address[0] == 127 || address[0] == 0;
}

/* ::1, ::, and IPv4's in their mapped form. */
static bool is_local_ipv6(const uint8_t *address)
{
    static const uint8_t zeroes[15];
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (memcmp(address, zeroes, sizeof(zeroes)) == 0)
        return address[15] <= 1;
    return memcmp(address, mapped, sizeof(mapped)) == 0 && is_local_ipv4(address + 12);
}

/* Whether a frame that begins with these bytes is for the loopback of whoever gets it. */
static bool is_for_loopback(const uint8_t *frame, size_t size)
{
    const uint8_t *packet = frame + ETH_HLEN;
    unsigned type;

    if (size < ETH_HLEN)
        return false;
    type = (unsigned)frame[12] << 8 | frame[13];
    if (type == ETH_P_IP)
        return size >= ETH_HLEN + 20 && is_local_ipv4(packet + 16);
    if (type == ETH_P_IPV6)
        return size >= ETH_HLEN + 40 && is_local_ipv6(packet + 24);
    return false;
}

/* ---- to passt ---- */

static int flush(struct net_backend *backend)
{
    struct stream *stream = (struct stream *)backend;
    struct iovec left = {stream->unsent + stream->unsent_at, stream->unsent_size};
    ssize_t sent;

    if (stream->unsent_size == 0)
        return 0;
    sent = writev(backend->fd, &left, 1);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
    stream->unsent_at += (size_t)sent;
    stream->unsent_size -= (size_t)sent;
    return stream->unsent_size == 0 ? 0 : -EAGAIN;
}

/* Keeps what is behind the first `sent` bytes of `parts`. */
static void keep_unsent(struct stream *stream, const struct iovec *parts, unsigned count,
                        size_t sent)
{
    stream->unsent_at = stream->unsent_size = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t skipped = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        size_t left = parts[i].iov_len - skipped;

        sent -= skipped;
        memcpy(stream->unsent + stream->unsent_size, (uint8_t *)parts[i].iov_base + skipped, left);
        stream->unsent_size += left;
    }
}

/* Takes at most `size` bytes off the beginning of `iov`. Returns how many there were. */
static size_t take_bytes(struct iovec *iov, unsigned count, uint8_t *data, size_t size)
{
    size_t taken = 0;

    for (unsigned i = 0; i < count && taken < size; i++) {
        size_t part = size - taken < iov[i].iov_len ? size - taken : iov[i].iov_len;

        memcpy(data + taken, iov[i].iov_base, part);
        iov[i].iov_base = (uint8_t *)iov[i].iov_base + part;
        iov[i].iov_len -= part;
        taken += part;
    }
    return taken;
}

static int send_frame(struct net_backend *backend, const struct iovec *iov, unsigned count)
{
    struct stream *stream = (struct stream *)backend;
    struct iovec parts[PARTS_MAX];
    uint8_t beginning[LOOKED_AT];
    uint32_t size_field;
    size_t size = 0;
    ssize_t sent;
    int rc = flush(backend);

    if (rc < 0)
        return rc;
    for (unsigned i = 1; i < count; i++)
        size += iov[i].iov_len;
    memcpy(parts + 2, iov + 1, (count - 1) * sizeof(*iov));
    if (size > NET_FRAME_MAX)
        return 0;
    size_field = htobe32((uint32_t)size);
    parts[0] = (struct iovec){&size_field, sizeof(size_field)};
    parts[1] = (struct iovec){beginning, take_bytes(parts + 2, count - 1, beginning, LOOKED_AT)};
    if (is_for_loopback(beginning, parts[1].iov_len))
        return 0;
    sent = writev(backend->fd, parts, (int)count + 1);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
    if ((size_t)sent < SIZE_FIELD + size)
        keep_unsent(stream, parts, count + 1, (size_t)sent);
    return 0;
}

/* ---- from passt ---- */

/* Reads more. Returns 0, -EAGAIN or -ECONNRESET. */
static int read_more(struct stream *stream)
{
    ssize_t got;

    if (stream->read_at > 0) {
        memmove(stream->read, stream->read + stream->read_at, stream->read_size);
        stream->read_at = 0;
    }
    got = readv(
        stream->backend.fd,
        &(struct iovec){stream->read + stream->read_size, sizeof(stream->read) - stream->read_size},
        1);
    if (got > 0) {
        stream->read_size += (size_t)got;
        return 0;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -ECONNRESET;
}

/* Size of the next frame once all of it is there; 0 = it is not. */
static size_t whole_frame(struct stream *stream)
{
    uint32_t size;

    if (stream->read_size < SIZE_FIELD)
        return 0;
    memcpy(&size, stream->read + stream->read_at, sizeof(size));
    size = be32toh(size);
    if (size == 0 || size > NET_FRAME_MAX) {
        stream->broken = true;
        return 0;
    }
    return stream->read_size >= SIZE_FIELD + size ? size : 0;
}

static ssize_t receive_frame(struct net_backend *backend, const struct iovec *iov, unsigned count)
{
    struct stream *stream = (struct stream *)backend;
    const uint8_t *at;
    size_t size;
    size_t left;

    while ((size = whole_frame(stream)) == 0) {
        int rc = stream->broken ? -ECONNRESET : read_more(stream);

        if (rc < 0)
            return rc;
    }
    at = stream->read + stream->read_at + SIZE_FIELD;
    left = size;
    memset(iov[0].iov_base, 0, NET_HEADER_SIZE);
    for (unsigned i = 1; i < count && left > 0; i++) {
        size_t part = left < iov[i].iov_len ? left : iov[i].iov_len;

        memcpy(iov[i].iov_base, at, part);
        at += part;
        left -= part;
    }
    stream->read_at += SIZE_FIELD + size;
    stream->read_size -= SIZE_FIELD + size;
    return (ssize_t)size;
}

static void destroy(struct net_backend *backend)
{
    close(backend->fd);
    free(backend);
}

const struct net_backend_class net_backend_stream_class = {
    .name = "stream",
    .has_header = false,
    .send = send_frame,
    .receive = receive_frame,
    .flush = flush,
    .destroy = destroy,
};

int net_backend_stream(int fd, struct net_backend **backend, struct error *err)
{
    struct stream *stream = malloc(sizeof(*stream)); /* what is not used takes no memory */

    if (!stream)
        return error_set_errno(err, ENOMEM, "network");
    stream->backend = (struct net_backend){&net_backend_stream_class, fd};
    stream->broken = false;
    stream->unsent_at = stream->unsent_size = 0;
    stream->read_at = stream->read_size = 0;
    *backend = &stream->backend;
    return 0;
}
