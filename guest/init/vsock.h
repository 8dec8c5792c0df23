/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: stream connections from the guest to the host. */
#ifndef MICROVM_GUEST_INIT_VSOCK_H
#define MICROVM_GUEST_INIT_VSOCK_H

#include "guest/init/failure.h"

/*
 * Starts to connect to `port` of the host and returns the non-blocking socket at once, so that the
 * host's answer travels while init does other work.
 */
int vsock_start_connect(unsigned port, struct failure *failure);

/* Waits until the connection stands. */
int vsock_finish_connect(int fd, unsigned port, struct failure *failure);

#endif
