/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: virtio console with one port (virtio 1.2, 5.3).
 *
 * Queue 0 carries bytes to the guest, queue 1 from it. Neither direction holds bytes of its own:
 * input is read straight into the driver's buffers and waits in its stream while there are none;
 * output is written straight from them, and a buffer that is written in part goes back to the queue
 * with the number of bytes that are done.
 */
#include "devices/console/console.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "vmm/base/bytes.h"

enum { INPUT_QUEUE, OUTPUT_QUEUE, QUEUE_COUNT };

#define QUEUE_SIZE      64
#define CHAINS_PER_TURN 64

struct console {
    struct virtio_device device;
    struct console_backend backend;
    bool input_ended, output_ended;     /* also of streams that there never were */
    bool input_wanted;                  /* the driver has room: watch for input */
    bool output_blocked;                /* the stream is full: watch for room */
    uint32_t input_watch, output_watch; /* events asked of the host so far */
    uint32_t output_done; /* bytes of the first available output chain that are written */
    uint16_t columns, rows;
};

struct console_state {
    uint32_t output_done;
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

/* Input and output may be one descriptor (a terminal, a socket), which has one set of events. */
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

static bool would_block(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Fills the driver's buffers from the input, until one of both has no more. */
static void pump_input(struct console *console)
{
    struct virtio_device *device = &console->device;
    struct virtqueue *queue = &device->queues[INPUT_QUEUE];
    int rc = 0;

    for (unsigned turn = 0; turn < CHAINS_PER_TURN && !console->input_ended; turn++) {
        struct virtqueue_chain chain;
        ssize_t count;

        rc = virtqueue_take(queue, device->memory, &chain);
        if (rc > 0 && chain.writable_count == 0)
            rc = -EINVAL;
        if (rc <= 0)
            break;
        count = readv(console->backend.input_fd, virtqueue_chain_writable(&chain),
                      (int)chain.writable_count);
        if (count > 0) {
            virtqueue_complete(queue, device->memory, chain.head, (uint32_t)count);
            continue;
        }
        virtqueue_untake(queue);
        if (!would_block(count))
            end_input(console);
        break;
    }
    if (rc < 0) {
        virtio_device_fail(device, "a bad chain for input");
        return;
    }
    console->input_wanted = rc > 0 && !console->input_ended;
    update_watches(console);
    virtio_device_notify(device, INPUT_QUEUE);
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

/* Writes what is left of `chain`. Returns whether all of it is done. */
static bool write_chain(struct console *console, const struct virtqueue_chain *chain)
{
    while (console->output_done < chain->readable_size) {
        struct iovec rest[VIRTQUEUE_SEGMENTS_MAX];
        unsigned count = virtqueue_slice(virtqueue_chain_readable(chain), chain->readable_count,
                                         console->output_done, chain->readable_size, rest);
        ssize_t written = (ssize_t)(chain->readable_size - console->output_done);

        if (!console->output_ended)
            written = writev(console->backend.output_fd, rest, (int)count);
        if (would_block(written))
            return false;
        if (written <= 0) { /* The reader is gone: from here on nobody but the tee listens. */
            end_output(console);
            continue;
        }
        tee(console, rest, count, (size_t)written);
        console->output_done += (uint32_t)written;
    }
    console->output_done = 0;
    return true;
}

static void pump_output(struct console *console)
{
    struct virtio_device *device = &console->device;
    struct virtqueue *queue = &device->queues[OUTPUT_QUEUE];
    unsigned turn = 0;
    int rc = 0;

    console->output_blocked = false;
    for (; turn < CHAINS_PER_TURN; turn++) {
        struct virtqueue_chain chain;

        rc = virtqueue_take(queue, device->memory, &chain);
        if (rc <= 0)
            break;
        if (!write_chain(console, &chain)) {
            virtqueue_untake(queue);
            console->output_blocked = true;
            break;
        }
        virtqueue_complete(queue, device->memory, chain.head, 0);
    }
    update_watches(console);
    if (rc < 0) {
        virtio_device_fail(device, "a bad chain for output");
        return;
    }
    virtio_device_notify(device, OUTPUT_QUEUE);
    if (turn == CHAINS_PER_TURN)
        virtio_device_handle_later(device, OUTPUT_QUEUE);
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
    console->output_done = 0;
    update_watches(console);
}

static void save(const struct virtio_device *device, void *state)
{
    const struct console *console = (const struct console *)device;
    struct console_state saved = {console->output_done, console->columns, console->rows};

    memcpy(state, &saved, sizeof(saved));
}

static int load(struct virtio_device *device, const void *state)
{
    struct console *console = console_of(device);
    struct console_state saved;

    memcpy(&saved, state, sizeof(saved));
    console->output_done = saved.output_done; /* any number will do: it is compared, not added */
    console->columns = saved.columns;
    console->rows = saved.rows;
    return 0;
}

static void destroy(struct virtio_device *device)
{
    reset(device);
    free(device);
}

static const struct virtio_device_class console_class = {
    .name = "console",
    .device_id = VIRTIO_ID_CONSOLE,
    .features = 1ULL << VIRTIO_CONSOLE_F_SIZE,
    .queue_count = QUEUE_COUNT,
    .queue_names = {[INPUT_QUEUE] = "receiveq", [OUTPUT_QUEUE] = "transmitq"},
    .queue_size_max = QUEUE_SIZE,
    .state_size = sizeof(struct console_state),
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
