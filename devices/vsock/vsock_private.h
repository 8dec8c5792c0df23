/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the parts of the virtio socket device.
 *
 *   vsock.c       the device: queues to packets and back, turns of connections
 *   connection.c  one connection: a state machine between packets and a UNIX stream socket
 *   listener.c    connections that a host process begins
 *   byte_ring.c   bytes that the guest has sent and for which the UNIX socket has no room
 *
 * Bytes to the host go straight from the guest's buffers to the UNIX socket; a ring, as large as
 * the guest's credit, only holds what does not fit there. Bytes to the guest are read straight into
 * its buffers, and stay in the UNIX socket while there is no buffer or no credit. So memory is
 * bounded in both directions, and nothing polls: a socket that is known to have bytes is not
 * watched for them.
 */
#ifndef MICROVM_DEVICES_VSOCK_VSOCK_PRIVATE_H
#define MICROVM_DEVICES_VSOCK_VSOCK_PRIVATE_H

#include "devices/virtio/device.h"
#include "devices/vsock/byte_ring.h"
#include "devices/vsock/packet.h"
#include "devices/vsock/vsock.h"

enum { VSOCK_RX_QUEUE, VSOCK_TX_QUEUE, VSOCK_EVENT_QUEUE, VSOCK_QUEUE_COUNT };

#define VSOCK_RESETS_MAX 64

enum vsock_state {
    VSOCK_FREE,
    VSOCK_GREETING,  /* waits for "CONNECT P\n" of a host process */
    VSOCK_REQUESTED, /* waits for the guest's reply to our REQUEST */
    VSOCK_OPEN,
    VSOCK_DRAINING, /* the guest has forgotten it; the ring still goes to the host */
    VSOCK_CLOSING,  /* only an RST for the guest is left */
};

/* What a connection has to send to the guest, in this order. */
enum vsock_pending {
    VSOCK_PENDING_RST = 1 << 0,
    VSOCK_PENDING_REQUEST = 1 << 1,
    VSOCK_PENDING_RESPONSE = 1 << 2,
    VSOCK_PENDING_SHUTDOWN = 1 << 3,
    VSOCK_PENDING_CREDIT_REQUEST = 1 << 4,
    VSOCK_PENDING_CREDIT_UPDATE = 1 << 5,
};

#define VSOCK_GREETING_SIZE 32 /* more than "CONNECT 4294967295\n" */

struct vsock_connection {
    struct vsock *vsock;
    enum vsock_state state;
    uint32_t guest_port, host_port;
    int fd;           /* UNIX stream socket, non-blocking; -1 when closed */
    uint32_t watched; /* events watched so far */

    uint32_t pending;        /* of enum vsock_pending */
    uint32_t shutdown_flags; /* all SHUTDOWN flags sent, or to be sent, to the guest */
    bool queued;             /* in the queue of connections with something for the guest */
    struct vsock_connection *next;

    /* Guest to host. The ring holds received - forwarded bytes. */
    struct byte_ring ring;
    uint32_t received, forwarded; /* bytes, modulo 2^32 as in the packets */
    uint32_t advertised;          /* `forwarded` as the guest knows it */
    bool guest_shut_send;
    bool host_shut_receive; /* bytes from the guest are discarded */

    /* Host to guest. */
    uint32_t sent;                           /* bytes, modulo 2^32 */
    uint32_t peer_buf_alloc, peer_forwarded; /* as last reported by the guest */
    bool readable;                           /* the socket has bytes, or its end, for the guest */
    bool credit_requested;
    bool guest_shut_receive;
    bool host_shut_send;

    char greeting[VSOCK_GREETING_SIZE];
    unsigned greeting_size;
};

/* An RST for a packet that belongs to no connection. */
struct vsock_reset {
    uint32_t guest_port, host_port;
    uint16_t type;
};

struct vsock {
    struct virtio_device device;
    uint64_t guest_cid;
    struct vsock_backend backend;
    int listener_fd;
    bool listener_watched;
    bool transport_reset_pending; /* the guest has to be notified that its connections are gone */
    bool transmit_waiting;        /* the transmit queue waits for room in `resets` */
    uint32_t next_host_port;
    unsigned next_slot;
    unsigned warnings; /* limits the log */

    /* Connections with something for the guest take turns. */
    struct vsock_connection *first, *last;
    struct vsock_reset resets[VSOCK_RESETS_MAX]; /* first in, first out */
    unsigned resets_begin, resets_count;

    /* Slots are never freed, so a late event of a closed socket does not access freed memory; and
     * they are allocated in turn, so that it rarely hits another connection. */
    struct vsock_connection connections[VSOCK_CONNECTIONS_MAX];
};

/* ---- vsock.c ---- */

/* Allocates a slot in `state` that owns `fd`; NULL if there is none. */
struct vsock_connection *vsock_allocate(struct vsock *vsock, enum vsock_state state, int fd);

/* Puts a connection that has something for the guest into the queue. */
void vsock_enqueue(struct vsock_connection *connection);

/* Moves what can be moved between the queues and the connections. */
void vsock_run(struct vsock *vsock);

/* Traces a packet of the guest (transmit queue) or for it (receive queue). */
void vsock_trace(const struct vsock *vsock, unsigned queue, const struct vsock_packet *packet);

/* ---- connection.c ---- */

/* Handler of the connection's socket. */
void vsock_connection_handle_fd(void *opaque, uint32_t events);

/* Handles a packet of the guest; `chain` holds its payload, whose length has been checked. */
void vsock_connection_receive(struct vsock_connection *connection,
                              const struct vsock_packet *packet,
                              const struct virtqueue_chain *chain);

/* Whether there is something for the guest that could be sent now. */
bool vsock_connection_has_work(const struct vsock_connection *connection);

/*
 * Writes the connection's next packet into `chain`. Returns its size in bytes, 0 if there is
 * nothing after all, or -EINVAL if the chain is too small for a packet.
 */
int vsock_connection_send(struct vsock_connection *connection, const struct virtqueue_chain *chain);

/* Watches the socket for the events that the connection needs now; aborts it if that fails. */
void vsock_connection_update_watch(struct vsock_connection *connection);

/* Closes the socket, and notifies a guest that knows the connection. */
void vsock_connection_abort(struct vsock_connection *connection);

/* Closes the socket and frees the slot; the guest is not notified. */
void vsock_connection_release(struct vsock_connection *connection);

/* ---- listener.c ---- */

/* Accepts connections from now on, or no longer. */
void vsock_listener_watch(struct vsock *vsock, bool on);

/* Reads the greeting of a connection in VSOCK_GREETING. */
void vsock_listener_read_greeting(struct vsock_connection *connection);

#endif
