/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the I/O loop: file descriptors and what to do when they are ready (epoll). One thread.
 */
#ifndef MICROVM_MACHINE_EVENT_LOOP_H
#define MICROVM_MACHINE_EVENT_LOOP_H

#include <stdint.h>

#include "devices/host.h"
#include "vmm/base/error.h"

struct event_loop;

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

/* Calls `handler` after each turn of the loop; for what other threads have left. One at a time. */
void event_loop_each_turn(struct event_loop *loop, void (*handler)(void *opaque), void *opaque);

/* Makes the loop take a turn. Any thread. */
void event_loop_wake(struct event_loop *loop);

/* Dispatches until event_loop_stop(), which may have been called before. */
int event_loop_run(struct event_loop *loop, struct error *err);
/* event_loop_run() returns after this turn, and from then on at once. Any thread. */
void event_loop_stop(struct event_loop *loop);

/* Dispatches what is ready now, at most `rounds` times, without waiting. */
void event_loop_drain(struct event_loop *loop, unsigned rounds);

#endif
