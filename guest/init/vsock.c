/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: stream connections from the guest to the host. */
#include "guest/init/vsock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define CONNECT_TIMEOUT_S 60 /* the kernel's 2 s is short for a host that emulates */

int vsock_start_connect(unsigned port, struct failure *failure)
{
    const struct sockaddr_vm address = {
        .svm_family = AF_VSOCK,
        .svm_cid = VMADDR_CID_HOST,
        .svm_port = port,
    };
    const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return failure_set_errno(failure, "vsock socket");
    setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout, sizeof(timeout));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
        errno != EINPROGRESS) {
        failure_set_errno(failure, "vsock connection to port %u of the host", port);
        close(fd);
        return -1;
    }
    return fd;
}

int vsock_finish_connect(int fd, unsigned port, struct failure *failure)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int reason = 0;
    socklen_t size = sizeof(reason);

    while (poll(&poll_fd, 1, -1) < 0)
        if (errno != EINTR)
            return failure_set_errno(failure, "poll");
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) == 0 && reason == 0)
        return 0;
    errno = reason ? reason : errno;
    return failure_set_errno(failure, "vsock connection to port %u of the host", port);
}
