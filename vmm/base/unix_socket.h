/* SPDX-License-Identifier: Apache-2.0 */
/* UNIX sockets (unix(7)): named by a path, and with descriptors sent along. */
#ifndef MICROVM_BASE_UNIX_SOCKET_H
#define MICROVM_BASE_UNIX_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/error.h"

#define UNIX_SOCKET_PATH_SIZE 108 /* of sockaddr_un, with the NUL */
#define UNIX_SOCKET_FDS_MAX   16  /* in one message */

/*
 * A listening or connected socket at `path`, close-on-exec; `type` is SOCK_STREAM or
 * SOCK_SEQPACKET, with SOCK_NONBLOCK or without. Returns it; the caller closes it. Errors:
 * ENAMETOOLONG (says how long a path may be), of bind(2) and connect(2), each with the path.
 */
int unix_socket_listen(const char *path, int type, int backlog, struct error *err);
int unix_socket_connect(const char *path, int type, struct error *err);

/* The next connection, close-on-exec, with `flags` of accept4(2); or -errno, never EINTR or
 * ECONNABORTED (a client that has gone again is passed over). */
int unix_socket_accept(int listener, int flags);

/*
 * Sends a message and up to UNIX_SOCKET_FDS_MAX descriptors, which stay the caller's; raises no
 * SIGPIPE. `flags` as of sendmsg(2). Returns the bytes sent or -errno, never EINTR; -E2BIG (too
 * many descriptors), -EINVAL (descriptors without a byte: they would be lost on a stream).
 */
ssize_t unix_socket_send(int fd, const void *data, size_t size, const int *fds, size_t fd_count,
                         int flags);

/*
 * Receives a message and up to *fd_count descriptors (at most UNIX_SOCKET_FDS_MAX),
 * close-on-exec, which are the caller's; *fd_count gets how many came. Returns the bytes, 0 at the
 * end, or -errno, never EINTR; -EPROTO when more descriptors came than wanted: none is kept.
 */
ssize_t unix_socket_receive(int fd, void *data, size_t size, int *fds, size_t *fd_count, int flags);

#endif
