/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a bare-metal guest; see files.h. */
#include "tests/guests/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

size_t files_image_size(void)
{
    return (size_t)(guest_image_end - guest_image);
}

int files_make_disk(off_t size)
{
    char data[DISK_SIZE];
    int fd = memfd_create("disk", MFD_CLOEXEC);

    memset(data, 'z', sizeof(data));
    assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

int files_make_memory(void)
{
    int fd = memfd_create("memory", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, MEMORY_SIZE), 0);
    assert_int_equal(pwrite(fd, guest_image, files_image_size(), GUEST_ADDRESS),
                     files_image_size());
    return fd;
}

void files_expect_memory_unchanged(int fd)
{
    static uint8_t now[MEMORY_SIZE];
    static uint8_t before[MEMORY_SIZE];

    memcpy(before + GUEST_ADDRESS, guest_image, files_image_size());
    assert_int_equal(pread(fd, now, sizeof(now), 0), sizeof(now));
    assert_memory_equal(now, before, sizeof(now));
}
