/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Take all rights from microvm-import that reading an archive does not need, before the first
 * untrusted byte is parsed. An attacker who takes over a parser then controls a process that reads
 * its input, writes to the files of this import, and can request more of them from microvm: it can
 * open nothing, sees no file system, has no capability, and can reach no other process.
 *
 * The essential part is the system call filter, which every kernel has that runs this program: it
 * allows no call that takes a path. Landlock and an empty root directory are added where the kernel
 * supports them.
 */
#ifndef MICROVM_IMAGE_IMPORT_CONFINE_H
#define MICROVM_IMAGE_IMPORT_CONFINE_H

#include <stdint.h>

#include "vmm/base/error.h"

/*
 * First, and for any input: the process ends with its parent; has no descriptors except 0, 1 and 2;
 * no core dump or debugger (both would show the archive's contents); and limits of memory,
 * descriptors, `file_max` bytes of a file, and `seconds` of each processor.
 */
int confine_process(uint64_t seconds, uint64_t file_max, struct error *err);

/*
 * Allows reading files beneath `directory` (-1: none), and what the next step needs. Only with a
 * directory it keeps the capabilities that read other users' files.
 */
int confine_to_reading(int directory, struct error *err);

/*
 * The last step: no capability, an empty root directory if possible, and only calls on this process
 * and its descriptors. `source` (-1: none) cannot be written, and messages only come from `channel`
 * (-1: none).
 */
int confine_to_parsing(int channel, int source, struct error *err);

#endif
