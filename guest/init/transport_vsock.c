/* SPDX-License-Identifier: Apache-2.0 */
/* init in a VM: the host is reached by vsock, marks and end by the doorbell.
 */
#include <errno.h>
#include <linux/reboot.h>
#include <poll.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "guest/init/ring_doorbell.h"
#include "guest/init/transport.h"

#define CONNECT_TIMEOUT_S 60 /* the kernel's 2 s is short for a host that emulates */

static int start_connect(unsigned port, struct failure *failure)
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

static int finish_connect(int fd, unsigned port, struct failure *failure)
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

static void mark(struct control *control, enum doorbell_mark number)
{
    (void)control;
    doorbell_ring(DOORBELL_MARK, number);
}

/* The end of process 1 would be a kernel panic: it powers the VM off instead. */
static void __attribute__((noreturn)) power_off(enum doorbell_call call, unsigned argument)
{
    doorbell_ring(call, argument);
    reboot(LINUX_REBOOT_CMD_POWER_OFF); /* in a VM without a doorbell */
    for (;;)
        pause();
}

static void __attribute__((noreturn)) end(uint8_t status)
{
    power_off(DOORBELL_EXIT, status);
}

static void __attribute__((noreturn)) give_up(const struct failure *failure)
{
    dprintf(STDERR_FILENO, "init: %s\n", failure->text);
    power_off(DOORBELL_PANIC, 0);
}

const struct transport transport_vsock = {start_connect, finish_connect, mark, end, give_up};
