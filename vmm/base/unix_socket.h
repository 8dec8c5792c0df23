/* SPDX-License-Identifier: Apache-2.0 */
/* UNIX sockets (unix(7)): named by a path, and messages that carry descriptors. */
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
 * ENAMETOOLONG (the message names the limit), of bind(2) and connect(2), each with the path.
 */
int unix_socket_listen(const char *path, int type, int backlog, struct error *err);
int unix_socket_connect(const char *path, int type, struct error *err);

/* The next connection, close-on-exec, with `flags` of accept4(2); or -errno, never EINTR or
 * ECONNABORTED (a client that has already disconnected is skipped). */
int unix_socket_accept(int listener, int flags);

/*
 * Sends a message and up to UNIX_SOCKET_FDS_MAX descriptors, which the caller still owns; raises no
 * SIGPIPE. `flags` are those of sendmsg(2). Returns the bytes sent or -errno, never EINTR; -E2BIG
 * (too many descriptors), -EINVAL (descriptors without a byte: they would be lost on a stream).
 */
ssize_t unix_socket_send(int fd, const void *data, size_t size, const int *fds, size_t fd_count,
                         int flags);

/*
 * Receives a message and up to *fd_count descriptors (at most UNIX_SOCKET_FDS_MAX), close-on-exec,
 * which the caller owns; sets *fd_count to their number. Returns the bytes, 0 at the end, or
 * -errno, never EINTR; -EPROTO if there are more descriptors than wanted: then all are closed.
 */
ssize_t unix_socket_receive(int fd, void *data, size_t size, int *fds, size_t *fd_count, int flags);

#endif
