/* SPDX-License-Identifier: Apache-2.0 */
/* Lines into a pipe; see trace_pipe.h. */
#include "vmm/monitor/trace_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/io.h"

#define LINE_MAX_SIZE 512

_Static_assert(LINE_MAX_SIZE <= PIPE_BUF, "a line is one whole write");

void trace_pipe_init(struct trace_pipe *pipe, int fd)
{
    *pipe = (struct trace_pipe){.fd = fd, .begun_ns = io_now_ns()};
    pthread_mutex_init(&pipe->lock, NULL);
    if (fd >= 0 && fcntl(fd, F_SETFL, O_WRONLY | O_NONBLOCK) < 0)
        pipe->fd = -1; /* a pipe that may block is not used */
}

/* Returns whether the line was written. */
static bool put(struct trace_pipe *pipe, const char *line, size_t size)
{
    ssize_t count;

    do {
        count = write(pipe->fd, line, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno != EAGAIN)
        pipe->fd = -1; /* the client has disconnected */
    return count > 0;
}

static bool put_left_out(struct trace_pipe *pipe)
{
    char line[80];
    int size;

    if (pipe->left_out == 0)
        return true;
    size = snprintf(line, sizeof(line), "(%" PRIu64 " lines dropped: not read in time)\n",
                    pipe->left_out);
    if (!put(pipe, line, (size_t)size))
        return false;
    pipe->left_out = 0;
    return true;
}

void trace_pipe_write(struct trace_pipe *pipe, const char *who, const char *line)
{
    char text[LINE_MAX_SIZE];
    int size;

    pthread_mutex_lock(&pipe->lock);
    if (pipe->fd >= 0) {
        size = snprintf(text, sizeof(text) - 1, "%10.3f ms  %s %s",
                        (double)(io_now_ns() - pipe->begun_ns) / 1e6, who, line);
        if (size > (int)sizeof(text) - 2)
            size = (int)sizeof(text) - 2;
        text[size] = '\n';
        if (!put_left_out(pipe) || !put(pipe, text, (size_t)size + 1)) {
            pipe->left_out++;
            pipe->lost++;
        }
    }
    pthread_mutex_unlock(&pipe->lock);
}
