/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of one VM through passt(1): its connections become sockets of the host, opened by a
 * process of the caller's, without root and without any interface.
 *
 *   guest -- virtio-net -- monitor -- stream of frames -- passt -- the host's sockets
 *
 * The guest can reach what the host can reach, but not the host's own loopback.
 */
#ifndef MICROVM_NETWORK_PASST_H
#define MICROVM_NETWORK_PASST_H

#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/network/publish.h"

/* Addresses behind passt, the same for every VM: of a range for examples (RFC 5737), so that they
 * hide no host that a guest may want to reach. */
#define PASST_ADDRESS  "203.0.113.15"
#define PASST_PREFIX   "24"
#define PASST_GATEWAY  "203.0.113.2"
#define PASST_RESOLVER "203.0.113.3" /* passt passes queries on to the host's */
#define PASST_MAC      "02:00:cb:00:71:0f"
#define PASST_MTU      "65520"

struct passt {
    pid_t pid;       /* -1 = none */
    int guest_fd;    /* the monitor's end of the stream, non-blocking; -1 once that has it */
    int messages_fd; /* what passt writes to its standard error */
};

#define PASST_INIT                                                                                 \
    {                                                                                              \
        -1, -1, -1                                                                                 \
    }

/* Starts passt with these ports published and does not wait until it is ready: frames wait in the
 * stream. It ends with the monitor's end of that. Errors: ENOENT (not installed), of socketpair(2),
 * of posix_spawn(3). */
int passt_start(const struct published_ports *ports, struct passt *passt, struct error *err);

/* Ends and reaps it; warns if it had ended by itself. Safe on PASST_INIT, which is also what it
 * leaves behind. */
void passt_stop(struct passt *passt);

#endif
