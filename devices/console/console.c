/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio console with one port (virtio 1.2, 5.3).
 *
 * Queue 0 carries bytes to the guest, queue 1 from it. Neither direction buffers bytes: input is
 * read straight into the driver's buffers, and waits in its stream while there are none; output is
 * written straight from them, and a partly written buffer goes back to the queue with the number of
 * processed bytes. A turn moves a bounded amount (devices/virtio/turn.c): a buffer may have 4 GiB,
 * and with a fast reader it would otherwise block the loop.
 */
#include "devices/console/console.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "vmm/base/bytes.h"
#include "vmm/base/log.h"

enum { INPUT_QUEUE, OUTPUT_QUEUE, QUEUE_COUNT };

#define QUEUE_SIZE 64

struct console {
    struct virtio_device device;
    struct console_backend backend;
    bool input_ended, output_ended;     /* also if there was no stream */
    bool input_wanted;                  /* the driver has room: watch for input */
    bool output_blocked;                /* the stream is full: watch for room */
    uint32_t input_watch, output_watch; /* events watched so far */
    uint16_t columns, rows;
};

struct console_state {
    uint16_t columns, rows;
};

static struct console *console_of(struct virtio_device *device)
{
    return (struct console *)device;
}

static void handle_fd(void *opaque, uint32_t events);

static void watch(struct console *console, int fd, uint32_t events, uint32_t *watched)
{
    const struct device_host *host = &console->device.host;

    if (events == *watched)
        return;
    *watched = events;
    /* A regular file cannot be watched and never blocks: it is read when the driver has room. */
    host->watch_fd(host->opaque, fd, events, handle_fd, console);
}

/* Input and output may be the same descriptor (a terminal, a socket), which has one set of
 * events. */
static void update_watches(struct console *console)
{
    const struct console_backend *backend = &console->backend;
    uint32_t input = console->input_wanted ? EPOLLIN : 0;
    uint32_t output = console->output_blocked ? EPOLLOUT : 0;

    if (backend->input_fd == backend->output_fd) {
        watch(console, backend->input_fd, input | output, &console->input_watch);
    } else {
        watch(console, backend->input_fd, input, &console->input_watch);
        watch(console, backend->output_fd, output, &console->output_watch);
    }
}

static void end_input(struct console *console)
{
    console->input_ended = true;
    console->input_wanted = false;
    update_watches(console);
}

static void end_output(struct console *console)
{
    console->output_ended = true;
    console->output_blocked = false;
    update_watches(console);
}

/* Logs a stream that ends for another reason than its peer's disconnect. Each stream ends once, so
 * a guest cannot flood the log. */
static void tell_error(const char *what, ssize_t result)
{
    if (result < 0 && errno != EPIPE && errno != ECONNRESET)
        log_error("console: cannot %s: %s", what, strerror(errno));
}

static bool would_block(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Reads into `chain`, a slice at most. Returns the bytes, 0 at the end, -EAGAIN if there are
 * none. */
static ssize_t read_chain(const struct console *console, const struct virtqueue_chain *chain)
{
    struct iovec slice[VIRTQUEUE_SEGMENTS_MAX];
    unsigned count = virtqueue_slice(virtqueue_chain_writable(chain), chain->writable_count, 0,
                                     VIRTIO_SLICE_MAX, slice);
    ssize_t got = readv(console->backend.input_fd, slice, (int)count);

    if (would_block(got))
        return -EAGAIN;
    tell_error("read the guest's input", got);
    return got > 0 ? got : 0;
}

/* Fills the driver's buffers from the input, until either is used up. */
static void pump_input(struct console *console)
{
    struct virtio_device *device = &console->device;
    struct virtqueue *queue = &device->queues[INPUT_QUEUE];
    struct virtqueue_chain chain;
    bool wanted = false; /* the driver has room, and there is nothing to read for now */
    int rc = 0;

    while (!console->input_ended && (rc = virtio_device_pop(device, INPUT_QUEUE, &chain)) > 0) {
        ssize_t got;

        if (chain.writable_count == 0) {
            rc = -EINVAL;
            break;
        }
        got = read_chain(console, &chain);
        if (got <= 0) {
            virtqueue_undo_pop(queue, 0);
            wanted = got < 0;
            if (!wanted)
                end_input(console);
            break;
        }
        virtqueue_push_used(queue, chain.head, (uint32_t)got);
        virtio_device_spend(device, (uint64_t)got);
    }
    console->input_wanted = wanted;
    update_watches(console);
    virtio_device_end_turn(device, INPUT_QUEUE, rc, "a bad chain for input");
}

static void tee(const struct console *console, const struct iovec *segments, unsigned count,
                size_t size)
{
    for (unsigned i = 0; console->backend.tee && i < count && size > 0; i++) {
        size_t part = segments[i].iov_len < size ? segments[i].iov_len : size;

        console->backend.tee(console->backend.tee_opaque, segments[i].iov_base, part);
        size -= part;
    }
}

/* Writes a slice of the rest of `chain`, and counts it. Returns 0, or -EAGAIN if the stream is
 * full. */
static int write_slice(struct console *console, struct virtqueue_chain *chain)
{
    struct iovec slice[VIRTQUEUE_SEGMENTS_MAX];
    uint64_t left = chain->readable_size - chain->progress;
    uint64_t size = left < VIRTIO_SLICE_MAX ? left : VIRTIO_SLICE_MAX;
    unsigned count = virtqueue_slice(virtqueue_chain_readable(chain), chain->readable_count,
                                     chain->progress, size, slice);
    ssize_t written = (ssize_t)size;

    if (!console->output_ended)
        written = writev(console->backend.output_fd, slice, (int)count);
    if (would_block(written))
        return -EAGAIN;
    if (written <= 0) { /* no reader any more: from here on only the tee gets the output */
        tell_error("write the guest's output", written);
        end_output(console);
        written = (ssize_t)size;
    }
    tee(console, slice, count, (size_t)written);
    chain->progress += (uint32_t)written;
    virtio_device_spend(&console->device, (uint64_t)written);
    return 0;
}

/* Writes `chain`. Returns whether all of it was written; if not, the stream is full or the turn is
 * over. */
static bool write_chain(struct console *console, struct virtqueue_chain *chain)
{
    while (chain->progress < chain->readable_size) {
        if (!virtio_device_may_go_on(&console->device))
            return false;
        if (write_slice(console, chain) < 0) {
            console->output_blocked = true;
            return false;
        }
    }
    return true;
}

static void pump_output(struct console *console)
{
    struct virtio_device *device = &console->device;
    struct virtqueue *queue = &device->queues[OUTPUT_QUEUE];
    struct virtqueue_chain chain;
    int rc;

    console->output_blocked = false;
    while ((rc = virtio_device_pop(device, OUTPUT_QUEUE, &chain)) > 0) {
        if (!write_chain(console, &chain)) {
            virtqueue_undo_pop(queue, chain.progress);
            rc = console->output_blocked ? 0 : -EAGAIN;
            break;
        }
        virtqueue_push_used(queue, chain.head, 0);
        virtio_device_spend(device, 0);
    }
    update_watches(console);
    virtio_device_end_turn(device, OUTPUT_QUEUE, rc, "a bad chain for output");
}

static void handle_fd(void *opaque, uint32_t events)
{
    struct console *console = opaque;

    virtio_device_lock(&console->device);
    if (console->output_blocked && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
        pump_output(console);
    if (console->input_wanted && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        pump_input(console);
    virtio_device_unlock(&console->device);
}

static void handle_queue(struct virtio_device *device, unsigned index)
{
    struct console *console = console_of(device);

    if (index == INPUT_QUEUE)
        pump_input(console);
    else if (!console->output_blocked)
        pump_output(console);
}

static void read_config(struct virtio_device *device, uint32_t offset, void *data, uint32_t size)
{
    const struct console *console = console_of(device);
    struct virtio_console_config config = {
        .cols = htole16(console->columns),
        .rows = htole16(console->rows),
        .max_nr_ports = htole32(1),
    };

    virtio_device_copy_config(&config, sizeof(config), offset, data, size);
}

static void reset(struct virtio_device *device)
{
    struct console *console = console_of(device);

    console->input_wanted = false;
    console->output_blocked = false;
    update_watches(console);
}

static void save(const struct virtio_device *device, void *state)
{
    const struct console *console = (const struct console *)device;
    struct console_state saved = {console->columns, console->rows};

    memcpy(state, &saved, sizeof(saved));
}

static int load(struct virtio_device *device, const void *state)
{
    struct console *console = console_of(device);
    struct console_state saved;

    memcpy(&saved, state, sizeof(saved));
    console->columns = saved.columns;
    console->rows = saved.rows;
    return 0;
}

static void destroy(struct virtio_device *device)
{
    reset(device);
    free(device);
}

static const struct syscall_rule calls[] = {
    {__NR_readv, SYSCALL_ALWAYS, 0, 0},
    {__NR_writev, SYSCALL_ALWAYS, 0, 0},
};

const struct virtio_device_class console_class = {
    .name = "console",
    .device_id = VIRTIO_ID_CONSOLE,
    .features = 1ULL << VIRTIO_CONSOLE_F_SIZE,
    .queue_count = QUEUE_COUNT,
    .queue_names = {[INPUT_QUEUE] = "receiveq", [OUTPUT_QUEUE] = "transmitq"},
    .queue_size_max = QUEUE_SIZE,
    .state_size = sizeof(struct console_state),
    .calls = {calls, ARRAY_LENGTH(calls)},
    .handle_queue = handle_queue,
    .read_config = read_config,
    .reset = reset,
    .save = save,
    .load = load,
    .destroy = destroy,
};

int console_create(const struct console_backend *backend, struct virtio_device **device,
                   struct error *err)
{
    struct console *console = calloc(1, sizeof(*console));

    if (!console)
        return error_set_errno(err, ENOMEM, "console");
    console->device.class = &console_class;
    console->device.features = console_class.features;
    console->backend = *backend;
    console->input_ended = backend->input_fd < 0;
    console->output_ended = backend->output_fd < 0;
    *device = &console->device;
    return 0;
}

void console_set_size(struct virtio_device *device, uint16_t columns, uint16_t rows)
{
    struct console *console = console_of(device);

    virtio_device_lock(device);
    console->columns = columns;
    console->rows = rows;
    virtio_device_config_changed(device);
    virtio_device_unlock(device);
}
