/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: carries one byte stream in a thread; see stream.h. */
#include "vmm/isolation/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/base/io.h"

#define BUFFER_SIZE 65536

struct stream {
    int from;
    int to;
    int done_event;
    pthread_t thread;
    _Atomic uint64_t first_byte_ns;
    atomic_bool done;
    char buffer[BUFFER_SIZE];
};

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t count;

    do {
        count = read(fd, buffer, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

static void *carry(void *argument)
{
    struct stream *stream = argument;
    const uint64_t one = 1;
    ssize_t count;

    while ((count = read_some(stream->from, stream->buffer, sizeof(stream->buffer))) > 0) {
        if (atomic_load(&stream->first_byte_ns) == 0)
            atomic_store(&stream->first_byte_ns, io_now_ns());
        if (io_write_all(stream->to, stream->buffer, (size_t)count) < 0) {
            shutdown(stream->from, SHUT_RDWR); /* nothing happens when it is no socket */
            break;
        }
    }
    shutdown(stream->to, SHUT_WR);
    atomic_store(&stream->done, true);
    io_write_all(stream->done_event, &one, sizeof(one));
    return NULL;
}

int stream_start(int from, int to, int done_event, struct stream **stream, struct error *err)
{
    struct stream *made = calloc(1, sizeof(*made));
    int reason;

    if (!made)
        return error_set_errno(err, ENOMEM, "standard streams");
    made->from = from;
    made->to = to;
    made->done_event = done_event;
    reason = pthread_create(&made->thread, NULL, carry, made);
    if (reason != 0) {
        free(made);
        return error_set_errno(err, reason, "standard streams");
    }
    *stream = made;
    return 0;
}

bool stream_is_done(const struct stream *stream)
{
    return !stream || atomic_load(&stream->done);
}

uint64_t stream_first_byte_ns(const struct stream *stream)
{
    return stream ? atomic_load(&stream->first_byte_ns) : 0;
}

bool stream_release(struct stream *stream)
{
    if (!stream)
        return true;
    if (!stream_is_done(stream)) {
        pthread_detach(stream->thread);
        return false;
    }
    pthread_join(stream->thread, NULL);
    free(stream);
    return true;
}
