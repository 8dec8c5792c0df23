/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O loop: file descriptors and what to do when they are ready (epoll). One thread.
 */
#ifndef MICROVM_MACHINE_EVENT_LOOP_H
#define MICROVM_MACHINE_EVENT_LOOP_H

#include <stdint.h>

#include "devices/device_callbacks.h"
#include "vmm/base/error.h"
#include "vmm/base/syscall_rule.h"

struct event_loop;

/* System calls of the loop itself, and of whoever allocates and closes in its turns. */
struct syscall_rules event_loop_calls(void);

int event_loop_create(struct event_loop **loop, struct error *err);
void event_loop_destroy(struct event_loop *loop); /* NULL is fine; descriptors stay open */

/*
 * Calls `handler` when `fd` is ready for one of `events` (of epoll(7), EPOLLET too). Called again
 * for the same fd it changes events and handler, with 0 it stops watching; do that before closing
 * the fd. An event that was already fetched when its watch ended is not delivered. Returns 0 or a
 * negative errno (EPERM: such a descriptor cannot be waited for).
 */
int event_loop_watch(struct event_loop *loop, int fd, uint32_t events, device_fd_handler *handler,
                     void *opaque);

/*
 * The watched `fd` is one by which the machine is told to stop: it is looked at every 10 ms even
 * while hundreds of others are ready. Until its watch ends. Its handler may be called with nothing
 * to read.
 */
void event_loop_make_urgent(struct event_loop *loop, int fd);

/*
 * Does not watch `fd` for 100 ms: for a listener from which nothing can be accepted for now,
 * because descriptors or memory have run out, and which would be ready again and again.
 */
void event_loop_pause(struct event_loop *loop, int fd);

/* Calls `handler` after each turn of the loop; for what other threads have left. One at a time. */
void event_loop_each_turn(struct event_loop *loop, void (*handler)(void *opaque), void *opaque);

/* Makes the loop take a turn. Any thread. */
void event_loop_wake(struct event_loop *loop);

/* Dispatches until event_loop_stop(), which may have been called before. */
int event_loop_run(struct event_loop *loop, struct error *err);
/* event_loop_run() returns after this turn, and from then on at once. Any thread. */
void event_loop_stop(struct event_loop *loop);

/* Stops it at once: what is ready is left alone, and is not drained either. I/O loop only. */
void event_loop_cut(struct event_loop *loop);

/* One turn, without waiting. Returns the count of events or a negative errno. */
int event_loop_turn(struct event_loop *loop);

/* Dispatches until nothing is ready, for at most `limit_ms`, without waiting. */
void event_loop_drain(struct event_loop *loop, unsigned limit_ms);

#endif
