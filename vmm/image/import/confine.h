/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Take from microvm-import what reading an archive never needs, before the first hostile
 * byte is parsed. Whoever takes over a parser then holds a process that reads its input, writes to
 * the files that it was given for this import, and asks microvm for more of them: it can open
 * nothing, sees no file system, has no capability, and can reach no other process.
 *
 * What holds is the system call filter, which every kernel has that runs this program: the calls
 * that take a name are not in it. Landlock and a root directory of its own are belts that come on
 * top where the kernel has them.
 */
#ifndef MICROVM_IMAGE_IMPORT_CONFINE_H
#define MICROVM_IMAGE_IMPORT_CONFINE_H

#include <stdint.h>

#include "vmm/base/error.h"

/*
 * First, and for any input: it ends with its parent; no descriptors but 0, 1 and 2; no core dump
 * nor debugger (both would show the archive's contents); bounds of memory, descriptors,
 * `file_max` bytes of a file, and `seconds` of each processor.
 */
int confine_process(uint64_t seconds, uint64_t file_max, struct error *err);

/*
 * Reading of files beneath `directory` (-1: of none), and preparations for the next step. Of
 * capabilities those stay that read what is not ours, and only with a directory.
 */
int confine_to_reading(int directory, struct error *err);

/*
 * The last step: no capability, an empty root directory where that is possible, and only calls
 * that concern this process and its descriptors. Nothing is written to `source` (-1: there is
 * none), messages come from `channel` (-1: none).
 */
int confine_to_parsing(int channel, int source, struct error *err);

#endif
