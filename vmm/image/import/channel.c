/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the import's end of the channel; see channel.h. */
#include "vmm/image/import/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

int channel_tell(int channel, const struct load_message *message, struct error *err)
{
    ssize_t count;

    do {
        count = write(channel, message, sizeof(*message));
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof(*message) ? 0 : error_set_errno(err, errno, "import");
}

static int receive(int channel, struct load_message *message, int *fd, struct error *err)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {message, sizeof(*message)};
    struct msghdr header = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof(control.space),
    };
    const struct cmsghdr *rights;
    ssize_t count;

    do {
        count = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    *fd = -1;
    rights = count > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (rights && rights->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
    if (count < 0)
        return error_set_errno(err, errno, "import");
    return count == (ssize_t)sizeof(*message) ? 0 : error_set(err, EPROTO, "import: no answer");
}

int channel_ask(int channel, struct load_message *message, int *fd, struct error *err)
{
    AUTO_CLOSE int came = -1;
    int rc = channel_tell(channel, message, err);

    if (rc == 0)
        rc = receive(channel, message, &came, err);
    if (rc < 0)
        return rc;
    if (fd && message->result >= 0 && came < 0)
        return error_set(err, EPROTO, "import: no file with the answer");
    if (fd)
        *fd = message->result >= 0 ? steal_fd(&came) : -1;
    if (message->result < 0 && err)
        err->code = -message->result;
    return message->result;
}
