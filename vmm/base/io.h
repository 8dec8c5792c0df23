/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes, whole files, time stamps. */
#ifndef MICROVM_BASE_IO_H
#define MICROVM_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"

/* Writes all `size` bytes. Returns 0 or a negative errno (EPIPE and ENOSPC among them). */
int io_write_all(int fd, const void *data, size_t size);

/* Reads until `size` bytes or end of file. Returns the count of bytes or a negative errno. */
ssize_t io_read_full(int fd, void *data, size_t size);

/* Same as io_read_full(), from `offset`, without moving the file position. */
ssize_t io_pread_full(int fd, void *data, size_t size, off_t offset);

/*
 * Reads a whole file of at most `limit` bytes, relative to `dir` (AT_FDCWD for none), into new
 * memory that the caller frees (of a file of /proc or /sys: the first 64 KiB); a NUL follows the
 * data and is not counted in *size. Errors: those of openat(2) and read(2), EFBIG.
 */
int io_read_file(int dir, const char *path, size_t limit, char **data, size_t *size,
                 struct error *err);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t io_now_ns(void);

/* The same clock at its last tick, up to 10 ms ago: costs almost nothing, and no system call. */
uint64_t io_now_coarse_ns(void);

#endif
