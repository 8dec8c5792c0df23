/* SPDX-License-Identifier: Apache-2.0 */
/* UNIX sockets; see unix_socket.h. */
#include "vmm/base/unix_socket.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == UNIX_SOCKET_PATH_SIZE,
               "the size of a path");

/* Room for descriptors beside a message. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(UNIX_SOCKET_FDS_MAX * sizeof(int))];
};

static int make_address(const char *path, struct sockaddr_un *address, struct error *err)
{
    size_t length = strlen(path);

    if (length >= sizeof(address->sun_path))
        return error_set(err, ENAMETOOLONG,
                         "%s: the path of a socket has at most %d characters, and this one %zu",
                         path, UNIX_SOCKET_PATH_SIZE - 1, length);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, length);
    return 0;
}

int unix_socket_listen(const char *path, int type, int backlog, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct sockaddr_un address;
    int rc = make_address(path, &address, err);

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, backlog) < 0)
        return error_set_errno(err, errno, "%s", path);
    return steal_fd(&fd);
}

int unix_socket_connect(const char *path, int type, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct sockaddr_un address;
    int rc = make_address(path, &address, err);

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_set_errno(err, errno, "%s", path);
    return steal_fd(&fd);
}

int unix_socket_accept(int listener, int flags)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, flags | SOCK_CLOEXEC);

        if (fd >= 0)
            return fd;
        if (errno != EINTR && errno != ECONNABORTED)
            return -errno;
    }
}

ssize_t unix_socket_send(int fd, const void *data, size_t size, const int *fds, size_t fd_count,
                         int flags)
{
    union control control = {0};
    /* sendmsg(2) only reads; the cast is needed because recvmsg(2) uses the same type. */
    struct iovec part = {(void *)(uintptr_t)data, size}; /* NOLINT(performance-no-int-to-ptr) */
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t count;

    if (fd_count > UNIX_SOCKET_FDS_MAX)
        return -E2BIG;
    if (fd_count > 0 && size == 0)
        return -EINVAL;
    if (fd_count > 0) {
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
    }
    do {
        count = sendmsg(fd, &message, flags | MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

/* Hands over the received descriptors; returns how many, or -EPROTO if there are more than
 * wanted. */
static int take_descriptors(struct msghdr *message, int *fds, size_t room)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    int came[UNIX_SOCKET_FDS_MAX];
    size_t count = 0;

    if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(came, CMSG_DATA(control), count * sizeof(int));
    }
    if (count <= room && !(message->msg_flags & MSG_CTRUNC)) {
        if (count > 0)
            memcpy(fds, came, count * sizeof(int));
        return (int)count;
    }
    for (size_t i = 0; i < count; i++)
        close(came[i]);
    return -EPROTO;
}

ssize_t unix_socket_receive(int fd, void *data, size_t size, int *fds, size_t *fd_count, int flags)
{
    union control control = {0};
    struct iovec part = {data, size};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof(control.space),
    };
    size_t room = *fd_count;
    ssize_t count;
    int taken;

    *fd_count = 0;
    do {
        count = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    taken = take_descriptors(&message, fds, room);
    if (taken < 0)
        return taken;
    *fd_count = (size_t)taken;
    return count;
}
