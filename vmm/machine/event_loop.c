/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O loop; see event_loop.h.
 *
 * Watches are kept in an array by descriptor. A generation number counts the watches of a
 * descriptor, and each event carries it. So an event of a closed descriptor, whose number is in use
 * again, is recognised: the generation does not match.
 *
 * A handler returns after some 10 ms, whatever a guest requests. But hundreds of descriptors may be
 * ready, so those that can stop the VM are also checked between others.
 */
#include "vmm/machine/event_loop.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

#define BATCH           16
#define URGENT_MAX      16
#define URGENT_EVERY_NS UINT64_C(10000000)
#define PAUSE_MS        100
#define NS_OF_MS        UINT64_C(1000000)

struct watch {
    device_fd_handler *handler; /* NULL = not watched */
    void *opaque;
    uint32_t events;
    uint32_t generation;
    uint64_t paused_until_ns; /* 0 = not paused */
};

struct event_loop {
    int epoll_fd;
    int wake_fd;   /* eventfd */
    bool stopping; /* atomic */
    bool cut;
    int urgent[URGENT_MAX]; /* descriptors */
    unsigned urgent_count;
    uint64_t looked_ns; /* when the urgent ones were last checked */
    unsigned paused_count;
    void (*turn_handler)(void *opaque);
    void *turn_opaque;
    struct watch *watches; /* by descriptor */
    int watch_count;
};

struct syscall_rules event_loop_calls(void)
{
    static const struct syscall_rule rules[] = {
#ifdef __NR_epoll_wait
        {__NR_epoll_wait, SYSCALL_ALWAYS, 0, 0},
        {__NR_poll, SYSCALL_ALWAYS, 0, 0}, /* those that can stop the VM, in between */
#else
        {__NR_epoll_pwait, SYSCALL_ALWAYS, 0, 0},
        {__NR_ppoll, SYSCALL_ALWAYS, 0, 0},
#endif
        {__NR_read, SYSCALL_ALWAYS, 0, 0},
        {__NR_close, SYSCALL_ALWAYS, 0, 0},
        /* memory that is allocated while devices work, never executable */
        {__NR_mmap, SYSCALL_ARGUMENT_LACKS, 2, PROT_EXEC},
        {__NR_mremap, SYSCALL_ALWAYS, 0, 0},
    };

    return (struct syscall_rules){rules, ARRAY_LENGTH(rules)};
}

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

static void forget_urgent(struct event_loop *loop, int fd)
{
    for (unsigned i = 0; i < loop->urgent_count; i++)
        if (loop->urgent[i] == fd)
            loop->urgent[i--] = loop->urgent[--loop->urgent_count];
}

static int change(struct event_loop *loop, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {
        .events = events,
        .data.u64 = (uint64_t)loop->watches[fd].generation << 32 | (uint32_t)fd,
    };

    return epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void end_pause(struct event_loop *loop, struct watch *watch)
{
    if (watch->paused_until_ns > 0)
        loop->paused_count--;
    watch->paused_until_ns = 0;
}

int event_loop_watch(struct event_loop *loop, int fd, uint32_t events, device_fd_handler *handler,
                     void *opaque)
{
    int rc = make_room(loop, fd);
    struct watch *watch;
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
    rc = change(loop, operation, fd, events);
    if (rc < 0)
        return rc;
    end_pause(loop, watch);
    if (events == 0)
        forget_urgent(loop, fd);
    watch->handler = events ? handler : NULL;
    watch->opaque = opaque;
    watch->events = events;
    return 0;
}

void event_loop_make_urgent(struct event_loop *loop, int fd)
{
    if (loop->urgent_count < URGENT_MAX)
        loop->urgent[loop->urgent_count++] = fd;
}

/* ---- pauses ---- */

void event_loop_pause(struct event_loop *loop, int fd)
{
    struct watch *watch = &loop->watches[fd];

    if (!watch->handler || watch->paused_until_ns > 0 || change(loop, EPOLL_CTL_MOD, fd, 0) < 0)
        return;
    watch->paused_until_ns = io_now_ns() + PAUSE_MS * NS_OF_MS;
    loop->paused_count++;
}

static void resume_paused(struct event_loop *loop)
{
    uint64_t now_ns = io_now_ns();

    for (int fd = 0; fd < loop->watch_count && loop->paused_count > 0; fd++) {
        struct watch *watch = &loop->watches[fd];

        if (watch->paused_until_ns == 0 || watch->paused_until_ns > now_ns)
            continue;
        end_pause(loop, watch);
        (void)change(loop, EPOLL_CTL_MOD, fd, watch->events);
    }
}

/* ---- turns ---- */

static void look_at_urgent(struct event_loop *loop)
{
    struct pollfd ready[URGENT_MAX];
    unsigned count = loop->urgent_count;

    loop->looked_ns = io_now_coarse_ns();
    for (unsigned i = 0; i < count; i++)
        ready[i] = (struct pollfd){.fd = loop->urgent[i], .events = POLLIN};
    if (poll(ready, count, 0) <= 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        const struct watch watch = loop->watches[ready[i].fd];

        if (ready[i].revents && watch.handler && watch.paused_until_ns == 0)
            watch.handler(watch.opaque, (uint32_t)ready[i].revents);
    }
}

/* Waits for at most `timeout_ms` (-1: forever); returns the count of events or -errno. */
static int dispatch(struct event_loop *loop, int timeout_ms)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(loop->epoll_fd, events, BATCH,
                           loop->paused_count > 0 && timeout_ms < 0 ? PAUSE_MS : timeout_ms);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    if (count < BATCH) /* no others are ready: if urgent ones are, they are in this batch */
        loop->looked_ns = io_now_coarse_ns();
    for (int i = 0; i < count && !loop->cut; i++) {
        uint32_t fd = (uint32_t)events[i].data.u64;
        struct watch watch;

        if (io_now_coarse_ns() - loop->looked_ns >= URGENT_EVERY_NS)
            look_at_urgent(loop);
        watch = loop->watches[fd]; /* a copy: the handler may move the array */
        if (!loop->cut && watch.handler && watch.generation == (uint32_t)(events[i].data.u64 >> 32))
            watch.handler(watch.opaque, events[i].events);
    }
    if (loop->paused_count > 0)
        resume_paused(loop);
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

void event_loop_cut(struct event_loop *loop)
{
    loop->cut = true;
    event_loop_stop(loop);
}

int event_loop_turn(struct event_loop *loop)
{
    return dispatch(loop, 0);
}

void event_loop_drain(struct event_loop *loop, unsigned limit_ms)
{
    uint64_t end_ns = io_now_ns() + limit_ms * NS_OF_MS;

    while (!loop->cut && io_now_ns() < end_ns && dispatch(loop, 0) > 0)
        ;
}
