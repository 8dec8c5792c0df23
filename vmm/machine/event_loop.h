/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O loop: file descriptors and their handlers (epoll). One thread. */
#ifndef MICROVM_MACHINE_EVENT_LOOP_H
#define MICROVM_MACHINE_EVENT_LOOP_H

#include <stdint.h>

#include "devices/device_callbacks.h"
#include "vmm/base/error.h"
#include "vmm/base/syscall_rule.h"

struct event_loop;

/* System calls of the loop itself, and of handlers that allocate and close. */
struct syscall_rules event_loop_calls(void);

int event_loop_create(struct event_loop **loop, struct error *err);
void event_loop_destroy(struct event_loop *loop); /* NULL is fine; descriptors stay open */

/*
 * Calls `handler` when `fd` is ready for one of `events` (of epoll(7), EPOLLET too). A second call
 * for the same fd changes events and handler; with 0 it stops watching, which must come before
 * closing the fd. An event that was fetched before its watch ended is not delivered. Returns 0 or a
 * negative errno (EPERM: epoll does not support this kind of file).
 */
int event_loop_watch(struct event_loop *loop, int fd, uint32_t events, device_fd_handler *handler,
                     void *opaque);

/*
 * The watched `fd` can stop the VM: until its watch ends it is checked every 10 ms, even while
 * hundreds of others are ready. Its handler may be called with nothing to read.
 */
void event_loop_make_urgent(struct event_loop *loop, int fd);

/*
 * Stops watching `fd` for 100 ms: for a listener that stays ready while nothing can be accepted,
 * because descriptors or memory have run out.
 */
void event_loop_pause(struct event_loop *loop, int fd);

/* Calls `handler` after each turn of the loop, for work that other threads left. Only one
 * handler. */
void event_loop_each_turn(struct event_loop *loop, void (*handler)(void *opaque), void *opaque);

/* Makes the loop take a turn. Any thread. */
void event_loop_wake(struct event_loop *loop);

/* Dispatches until event_loop_stop(), which may have been called before. */
int event_loop_run(struct event_loop *loop, struct error *err);
/* event_loop_run() returns after this turn, and from then on at once. Any thread. */
void event_loop_stop(struct event_loop *loop);

/* Stops it at once: ready descriptors are not handled, not even by event_loop_drain(). I/O loop
 * only. */
void event_loop_cut(struct event_loop *loop);

/* One turn, without waiting. Returns the count of events or a negative errno. */
int event_loop_turn(struct event_loop *loop);

/* Dispatches until nothing is ready, for at most `limit_ms`, without waiting. */
void event_loop_drain(struct event_loop *loop, unsigned limit_ms);

#endif
