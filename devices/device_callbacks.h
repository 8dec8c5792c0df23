/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that a device needs from outside: raise its interrupt, watch a file descriptor, and
 * optionally trace what it does. The VM implements it with irqfd and epoll, a test with two
 * counters.
 */
#ifndef MICROVM_DEVICES_DEVICE_CALLBACKS_H
#define MICROVM_DEVICES_DEVICE_CALLBACKS_H

#include <stdint.h>

/* `events` as in epoll(7): EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. Runs on the I/O loop. */
typedef void device_fd_handler(void *opaque, uint32_t events);

/* Two eventfds through which another process serves a queue instead of the device. */
struct device_queue_fds {
    int kick_fd; /* readable after the driver has notified the queue (non-blocking) */
    int call_fd; /* writing interrupts the driver */
};

struct device_host {
    void *opaque;
    /* Raises the device's interrupt line (edge). Any thread. */
    void (*raise_interrupt)(void *opaque);
    /*
     * Watches `fd` (level-triggered) for `events`; a second call for the same fd changes the
     * events, and 0 stops watching (before the fd is closed). I/O loop only. Returns 0 or a
     * negative errno.
     */
    int (*watch_fd)(void *opaque, int fd, uint32_t events, device_fd_handler *handler,
                    void *handler_opaque);
    /*
     * Stops watching `fd` for a moment: a listener that cannot accept, because descriptors or
     * memory have run out, would be ready all the time. I/O loop only.
     */
    void (*pause_fd)(void *opaque, int fd);
    /*
     * The eventfds of queue `index`, owned by the callee and valid as long as the device. From then
     * on the I/O loop ignores its kicks, until the queue is reclaimed: then the queue is notified
     * once, since a kick may have been missed. I/O loop only. NULL = no queue can be delegated.
     */
    void (*delegate_queue)(void *opaque, unsigned index, struct device_queue_fds *fds);
    void (*reclaim_queue)(void *opaque, unsigned index);
    /* One line about what the device does, for a reader. Any thread. NULL = no tracer. */
    void (*trace)(void *opaque, const char *line);
};

#endif
