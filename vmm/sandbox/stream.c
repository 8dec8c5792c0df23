/* SPDX-License-Identifier: Apache-2.0 */
/* Carries one byte stream in a thread; see stream.h. */
#include "vmm/sandbox/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/io.h"
#include "vmm/base/text.h"

#define BUFFER_SIZE 65536

struct stream {
    int from;
    int to;
    int done_event;
    bool cleaned;
    pthread_t thread;
    _Atomic uint64_t first_byte_ns;
    int error; /* settled before `done` */
    atomic_bool done;
    atomic_int shares; /* the owner's and the thread's: an abandoned stream ends later */
    char buffer[BUFFER_SIZE];
};

static void drop_share(struct stream *stream)
{
    if (atomic_fetch_sub(&stream->shares, 1) == 1)
        free(stream);
}

/* Whether the call that has just failed is to be made again; waits until it can succeed. */
static bool is_worth_another_try(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};

    if (errno == EINTR)
        return true;
    if (errno != EAGAIN)
        return false;
    (void)poll(&ready, 1, -1);
    return true;
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t count;

    do {
        count = read(fd, buffer, size);
    } while (count < 0 && is_worth_another_try(fd, POLLIN));
    return count;
}

/* Returns whether all of it was written. */
static bool write_whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, data, size);

        if (count < 0 && !is_worth_another_try(fd, POLLOUT))
            return false;
        if (count > 0) {
            data += count;
            size -= (size_t)count;
        }
    }
    return true;
}

/* Standard streams may be sockets too, and then those of others as well. */
static void shut_down(int fd, int how)
{
    if (fd > STDERR_FILENO)
        shutdown(fd, how); /* nothing happens when it is no socket */
}

/* Whether reading failed because the writer has gone: a terminal says EIO, a socket
 * ECONNRESET. */
static bool is_end(int fd, int error)
{
    struct stat status;

    return error == ECONNRESET ||
           (error == EIO && fstat(fd, &status) == 0 && S_ISCHR(status.st_mode));
}

static void *carry(void *argument)
{
    struct stream *stream = argument;
    const uint64_t one = 1;
    ssize_t count;

    while ((count = read_some(stream->from, stream->buffer, sizeof(stream->buffer))) > 0) {
        if (atomic_load(&stream->first_byte_ns) == 0)
            atomic_store(&stream->first_byte_ns, io_now_ns());
        if (stream->cleaned)
            text_clean_lines(stream->buffer, (size_t)count);
        if (!write_whole(stream->to, stream->buffer, (size_t)count)) {
            stream->error = errno;
            shut_down(stream->from, SHUT_RDWR);
            break;
        }
    }
    if (count < 0 && !is_end(stream->from, errno))
        stream->error = errno;
    shut_down(stream->to, SHUT_WR);
    atomic_store(&stream->done, true);
    io_write_all(stream->done_event, &one, sizeof(one));
    drop_share(stream);
    return NULL;
}

static int start(int from, int to, int done_event, bool cleaned, struct stream **stream,
                 struct error *err)
{
    struct stream *made = malloc(sizeof(*made)); /* its buffer stays untouched until data comes */
    int reason;

    if (!made)
        return error_set_errno(err, ENOMEM, "standard streams");
    made->from = from;
    made->to = to;
    made->done_event = done_event;
    made->cleaned = cleaned;
    made->error = 0;
    atomic_init(&made->first_byte_ns, 0);
    atomic_init(&made->done, false);
    atomic_init(&made->shares, 2);
    reason = pthread_create(&made->thread, NULL, carry, made);
    if (reason != 0) {
        free(made); /* there is no thread */
        return error_set_errno(err, reason, "standard streams");
    }
    *stream = made;
    return 0;
}

int stream_start(int from, int to, int done_event, struct stream **stream, struct error *err)
{
    return start(from, to, done_event, false, stream, err);
}

int stream_start_lines(int from, int to, int done_event, struct stream **stream, struct error *err)
{
    return start(from, to, done_event, true, stream, err);
}

bool stream_is_done(const struct stream *stream)
{
    return !stream || atomic_load(&stream->done);
}

uint64_t stream_first_byte_ns(const struct stream *stream)
{
    return stream ? atomic_load(&stream->first_byte_ns) : 0;
}

int stream_error(const struct stream *stream)
{
    if (!stream || !stream_is_done(stream) || stream->error == EPIPE)
        return 0;
    return stream->error;
}

bool stream_release(struct stream *stream)
{
    bool done;

    if (!stream)
        return true;
    done = stream_is_done(stream);
    if (done)
        pthread_join(stream->thread, NULL);
    else
        pthread_detach(stream->thread);
    drop_share(stream);
    return done;
}
