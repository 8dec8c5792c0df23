/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of a virtio socket device for tests: sends any packet, receives packets into a
 * set of buffers, and counts credit as the specification requires.
 */
#ifndef MICROVM_TESTS_UNIT_DEVICES_FAKE_VSOCK_H
#define MICROVM_TESTS_UNIT_DEVICES_FAKE_VSOCK_H

#include "devices/vsock/packet.h"
#include "tests/unit/devices/fake_driver.h"

#define FAKE_GUEST_CID   7
#define FAKE_RX_BUFFERS  64
#define FAKE_RX_PAYLOAD  4096 /* bytes of a receive buffer after the header, as in Linux 6.1 */
#define FAKE_TX_SLOTS    16
#define FAKE_PAYLOAD_MAX 65536

/* One connection, as the guest counts it. */
struct fake_stream {
    uint32_t guest_port, host_port;
    uint32_t buf_alloc; /* what we report to the device */
    uint32_t received;  /* received bytes */
    uint32_t forwarded; /* of these, read by the program in the guest */
    uint32_t sent;
    uint32_t peer_buf_alloc, peer_forwarded;
};

struct fake_vsock {
    struct fake_machine machine;
    char directory[64]; /* holds the sockets */
    uint64_t rx_buffers;
    unsigned rx_free; /* buffers that the device does not have */
    uint64_t rx_returned[FAKE_RX_BUFFERS];
    unsigned tx_slot;
    struct fake_stream streams[4]; /* whose packets are counted */
    unsigned stream_count;
};

/*
 * A host side in `directory`, which outlives the device: a guest's connect() to port P reaches the
 * socket vsock_P there, and the device listens at `vsock`.
 */
struct vsock_backend fake_vsock_backend(char *directory, uint64_t guest_cid);
/* Removes the socket at which it listened. */
void fake_vsock_forget(const char *directory);

/* A running device, with a new directory and without receive buffers. */
void fake_vsock_create(struct fake_vsock *vsock, uint64_t features);
void fake_vsock_destroy(struct fake_vsock *vsock);

/* The driver resets the device and starts again. */
void fake_vsock_restart(struct fake_vsock *vsock, uint64_t features);

/* Makes up to `count` receive buffers available and runs the device. */
void fake_vsock_offer(struct fake_vsock *vsock, unsigned count);

/* Sends one packet with `packet->len` bytes of `data`, and runs the device. */
void fake_vsock_send(struct fake_vsock *vsock, const struct vsock_packet *packet, const void *data);

/*
 * Takes the next packet of the device, with its payload in `data` (FAKE_RX_PAYLOAD bytes, or NULL),
 * and counts it for its stream. Returns whether there was one.
 */
bool fake_vsock_receive(struct fake_vsock *vsock, struct vsock_packet *packet, void *data);

/* A header from the stream's guest end to its host end. */
struct vsock_packet fake_vsock_packet(const struct fake_stream *stream, uint16_t op);

/* Sends a packet of a stream: without payload, or `size` bytes. */
void fake_vsock_say(struct fake_vsock *vsock, const struct fake_stream *stream, uint16_t op,
                    uint32_t flags);
void fake_vsock_write(struct fake_vsock *vsock, struct fake_stream *stream, const void *data,
                      uint32_t size);

/* Bytes that the stream may send now. */
uint32_t fake_vsock_credit(const struct fake_stream *stream);

/*
 * Listens on vsock_PORT, lets the guest connect, accepts. Returns the host's socket (non-blocking);
 * the stream is counted from then on. Receive buffers must be available.
 */
int fake_vsock_connect(struct fake_vsock *vsock, uint32_t guest_port, uint32_t host_port,
                       struct fake_stream **stream);

/* A listening, or connected, socket NAME in the directory. */
int fake_vsock_listen(const struct fake_vsock *vsock, const char *name);
int fake_vsock_dial(const struct fake_vsock *vsock, const char *name);

#endif
