/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the I/O loop; see event_loop.h.
 *
 * Watches are kept in an array by descriptor. A number counts the watches that a descriptor has
 * had; it travels with the event, so that an event of a descriptor that has been closed, and whose
 * number has been given out again, finds a number that does not match.
 */
#include "vmm/machine/event_loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

#define BATCH 16

struct watch {
    device_fd_handler *handler; /* NULL = not watched */
    void *opaque;
    uint32_t generation;
};

struct event_loop {
    int epoll_fd;
    int wake_fd;   /* eventfd */
    bool stopping; /* atomic */
    void (*turn_handler)(void *opaque);
    void *turn_opaque;
    struct watch *watches; /* by descriptor */
    int watch_count;
};

/* Edge-triggered: each write is an event, so the counter need not be read. */
static void handle_wake(void *opaque, uint32_t events)
{
    (void)opaque;
    (void)events;
}

int event_loop_create(struct event_loop **loop, struct error *err)
{
    struct event_loop *made = calloc(1, sizeof(*made));
    int code = 0;

    if (!made)
        return error_set_errno(err, ENOMEM, "I/O loop");
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->epoll_fd < 0 || made->wake_fd < 0)
        code = errno;
    else
        code = -event_loop_watch(made, made->wake_fd, EPOLLIN | EPOLLET, handle_wake, NULL);
    if (code != 0) {
        event_loop_destroy(made);
        return error_set_errno(err, code, "I/O loop");
    }
    *loop = made;
    return 0;
}

void event_loop_destroy(struct event_loop *loop)
{
    if (!loop)
        return;
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop->watches);
    free(loop);
}

void event_loop_each_turn(struct event_loop *loop, void (*handler)(void *opaque), void *opaque)
{
    loop->turn_handler = handler;
    loop->turn_opaque = opaque;
}

void event_loop_wake(struct event_loop *loop)
{
    const uint64_t one = 1;

    while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static int make_room(struct event_loop *loop, int fd)
{
    struct watch *watches;
    int count = loop->watch_count ? loop->watch_count : 64;

    if (fd < 0)
        return -EBADF;
    if (fd < loop->watch_count)
        return 0;
    while (count <= fd)
        count *= 2;
    watches = reallocarray(loop->watches, (size_t)count, sizeof(*watches));
    if (!watches)
        return -ENOMEM;
    for (int i = loop->watch_count; i < count; i++)
        watches[i] = (struct watch){0};
    loop->watches = watches;
    loop->watch_count = count;
    return 0;
}

int event_loop_watch(struct event_loop *loop, int fd, uint32_t events, device_fd_handler *handler,
                     void *opaque)
{
    int rc = make_room(loop, fd);
    struct watch *watch;
    struct epoll_event event;
    int operation;

    if (rc < 0)
        return rc;
    watch = &loop->watches[fd];
    if (events == 0 && !watch->handler)
        return 0;
    if (events == 0)
        operation = EPOLL_CTL_DEL;
    else
        operation = watch->handler ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (operation != EPOLL_CTL_MOD)
        watch->generation++;
    event.events = events;
    event.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd;
    if (epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0)
        return -errno;
    watch->handler = events ? handler : NULL;
    watch->opaque = opaque;
    return 0;
}

/* Waits for at most `timeout_ms` (-1: for ever); returns the count of events or -errno. */
static int dispatch(struct event_loop *loop, int timeout_ms)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(loop->epoll_fd, events, BATCH, timeout_ms);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        uint32_t fd = (uint32_t)events[i].data.u64;
        struct watch watch = loop->watches[fd]; /* a copy: the handler may move the array */

        if (watch.handler && watch.generation == (uint32_t)(events[i].data.u64 >> 32))
            watch.handler(watch.opaque, events[i].events);
    }
    if (loop->turn_handler)
        loop->turn_handler(loop->turn_opaque);
    return count;
}

int event_loop_run(struct event_loop *loop, struct error *err)
{
    while (!__atomic_load_n(&loop->stopping, __ATOMIC_ACQUIRE)) {
        int rc = dispatch(loop, -1);

        if (rc < 0)
            return error_set_errno(err, -rc, "epoll_wait");
    }
    return 0;
}

void event_loop_stop(struct event_loop *loop)
{
    __atomic_store_n(&loop->stopping, true, __ATOMIC_RELEASE);
    event_loop_wake(loop);
}

void event_loop_drain(struct event_loop *loop, unsigned rounds)
{
    while (rounds-- > 0 && dispatch(loop, 0) > 0)
        ;
}
