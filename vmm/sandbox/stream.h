/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries one byte stream in one direction between a standard stream of this process and a
 * socket of the guest, in a thread of its own.
 *
 * A thread, because the standard streams are shared with other processes (a shell, the rest of a
 * pipeline): making them non-blocking would change them for all, and shutting them down, should
 * they be sockets, would end them for all. Somebody else may have made them non-blocking, though:
 * then the thread waits by poll(2). Each thread has one buffer, and what its reader does not take
 * it does not read: memory is bounded and the writer slows down.
 *
 * End of file goes through as the shutdown of one direction. A reader that has gone away is passed
 * back as the shutdown of the socket: the guest's writer then sees a closed pipe, as in any
 * pipeline (`microvm run IMAGE yes | head`).
 */
#ifndef MICROVM_SANDBOX_STREAM_H
#define MICROVM_SANDBOX_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"

struct stream;

/* Starts to carry from `from` to `to`; `done_event` (an eventfd) is signalled at the end. None of
 * the three is owned. Errors: ENOMEM, EAGAIN. */
int stream_start(int from, int to, int done_event, struct stream **stream, struct error *err);

/* The same for lines of ASCII that are not trusted: made harmless to a terminal on the way. */
int stream_start_lines(int from, int to, int done_event, struct stream **stream, struct error *err);

/* True when all that came has been carried, or cannot be carried any more; NULL is done. */
bool stream_is_done(const struct stream *stream);

/* CLOCK_MONOTONIC of the first byte, 0 = none yet. */
uint64_t stream_first_byte_ns(const struct stream *stream);

/* Why not all could be carried: an errno; 0 when it was, or when the reader had just gone away. */
int stream_error(const struct stream *stream);

/*
 * Releases a stream that is done. One that is not cannot be interrupted (it may wait for a person
 * to type): its descriptors must stay open, and its thread frees it when it ends. Returns whether
 * it was done. NULL is allowed.
 */
bool stream_release(struct stream *stream);

#endif
