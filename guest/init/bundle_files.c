/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the files of the bundle; see bundle_files.h. */
#include "guest/init/bundle_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(const struct bundle_files *files, const unsigned char *data, size_t size,
                     struct failure *failure)
{
    while (size > 0) {
        ssize_t count = write(files->fd, data, size);

        if (count < 0 && errno == ENOSPC)
            return failure_set(failure,
                               "bundle: there is no room for '%s'; give more --memory, or a larger "
                               "--disk if there is one",
                               files->name);
        if (count < 0 && errno != EINTR)
            return failure_set_errno(failure, "bundle: %s", files->name);
        data += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return 0;
}

void bundle_files_end(struct bundle_files *files)
{
    if (files->fd >= 0)
        close(files->fd);
    files->fd = -1;
}

int bundle_files_begin(struct bundle_files *files, const struct message *message,
                       struct failure *failure)
{
    const size_t name_at = sizeof(struct protocol_file);
    const unsigned char *payload = message->payload;
    char path[PATH_MAX];
    const char *name;
    size_t length;
    mode_t mode;

    bundle_files_end(files);
    if (message->size <= name_at || !memchr(payload + name_at, '\0', message->size - name_at))
        return failure_set(failure, "bundle: a file without a name");
    name = (const char *)payload + name_at;
    length = strlen(name);
    if (length == 0 || strchr(name, '/') || name[0] == '.')
        return failure_set(failure, "bundle: '%.64s' is not the name of a file", name);
    mode = (mode_t)(payload[0] | payload[1] << 8) & 07777;
    snprintf(path, sizeof(path), "%s" PROTOCOL_BUNDLE_DIR "/%s", files->directory, name);
    files->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    /* Once more, without the umask that init may have inherited. */
    if (files->fd < 0 || fchmod(files->fd, mode) < 0)
        return failure_set_errno(failure, "%s", path);
    snprintf(files->name, sizeof(files->name), "%s", name);
    return write_all(files, payload + name_at + length + 1, message->size - name_at - length - 1,
                     failure);
}

int bundle_files_append(const struct bundle_files *files, const struct message *message,
                        struct failure *failure)
{
    if (files->fd < 0)
        return failure_set(failure, "bundle: data without a file");
    return write_all(files, message->payload, message->size, failure);
}
