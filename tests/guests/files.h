/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a bare-metal guest: its disk, and its memory where that comes from a file. */
#ifndef TESTS_GUESTS_FILES_H
#define TESTS_GUESTS_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_ADDRESS 0x100000U /* where the guest's program is in its memory */
#define MEMORY_SIZE   (UINT64_C(8) << 20)
#define DISK_SIZE     4096 /* bytes of a disk that are not a hole */

extern const uint8_t guest_image[];
extern const uint8_t guest_image_end[];

size_t files_image_size(void);

/* All fail the test that cannot have its file. */
int files_make_disk(off_t size);

/* Memory as a file holds it: zeroes, and the guest's program in its place. */
int files_make_memory(void);
void files_expect_memory_unchanged(int fd);

#endif
