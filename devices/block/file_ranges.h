/* SPDX-License-Identifier: Apache-2.0 */
/* Discard and zero a range of a file, by whatever its file system supports. */
#ifndef MICROVM_DEVICES_BLOCK_FILE_RANGES_H
#define MICROVM_DEVICES_BLOCK_FILE_RANGES_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Returns the blocks of `size` (> 0) bytes at `offset` to the file system. A hint: if that is not
 * supported, nothing happens. Returns 0 or a negative errno.
 */
int file_discard(int fd, off_t offset, off_t size);

/*
 * Makes the range read as zeroes, without changing the file's size; with `unmap` its blocks may be
 * released. Writes zeroes if the file system has no faster way. Returns 0 or a negative errno.
 */
int file_write_zeroes(int fd, off_t offset, off_t size, bool unmap);

#endif
