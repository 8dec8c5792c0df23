/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on the other side of init's sandbox, and how it is reached: the host of a VM
 * (transport_vsock.c: vsock and the doorbell), or the host of a container, which init shares a
 * kernel with (transport_unix.c: sockets that it has inherited). Everything else of init is the
 * same for both, so that a run can be compared with its counterpart.
 */
#ifndef MICROVM_GUEST_INIT_TRANSPORT_H
#define MICROVM_GUEST_INIT_TRANSPORT_H

#include <stdint.h>

#include "guest/doorbell_abi.h"
#include "guest/init/failure.h"
#include "guest/init/host_connection.h"

struct transport {
    /*
     * Starts to connect to `port` of the host and returns the non-blocking socket at once, so that
     * the host's answer travels while init does other work.
     */
    int (*start_connect)(unsigned port, struct failure *failure);
    /* Waits until the connection stands. */
    int (*finish_connect)(int fd, unsigned port, struct failure *failure);
    /* Tells that a step of the start is done. */
    void (*mark)(struct control *control, enum doorbell_mark mark);
    /* The end, with the container's status. Does not return. */
    void (*end)(uint8_t status) __attribute__((noreturn));
    /* The end when not even a word about it can be said to the host. Does not return. */
    void (*give_up)(const struct failure *failure) __attribute__((noreturn));
};

extern const struct transport transport_vsock;
extern const struct transport transport_unix;

#endif
