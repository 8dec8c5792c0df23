/* SPDX-License-Identifier: Apache-2.0 */
/* The import's end of the channel; see channel.h. */
#include "vmm/image/import/channel.h"

#include <errno.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/unix_socket.h"

int channel_send(int channel, const struct load_message *message, struct error *err)
{
    ssize_t count;

    do {
        count = write(channel, message, sizeof(*message));
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof(*message) ? 0 : error_set_errno(err, errno, "import");
}

static int receive(int channel, struct load_message *message, int *fd, struct error *err)
{
    size_t fd_count = 1;
    ssize_t count;

    *fd = -1;
    count = unix_socket_receive(channel, message, sizeof(*message), fd, &fd_count, 0);
    if (count < 0)
        return error_set_errno(err, (int)-count, "import");
    return count == (ssize_t)sizeof(*message) ? 0 : error_set(err, EPROTO, "import: no reply");
}

int channel_call(int channel, struct load_message *message, int *fd, struct error *err)
{
    AUTO_CLOSE int came = -1;
    int rc = channel_send(channel, message, err);

    if (rc < 0)
        return rc;
    rc = receive(channel, message, &came, err);
    if (rc < 0)
        return rc;
    if (fd && message->result >= 0 && came < 0)
        return error_set(err, EPROTO, "import: no descriptor in the reply");
    if (fd)
        *fd = message->result >= 0 ? steal_fd(&came) : -1;
    if (message->result < 0 && err)
        err->code = -message->result;
    return message->result;
}
