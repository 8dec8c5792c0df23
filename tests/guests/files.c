/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a bare-metal guest; see files.h. */
#include "tests/guests/files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

size_t files_image_size(void)
{
    return (size_t)(guest_image_end - guest_image);
}

void files_make_disk(const char *path, off_t size)
{
    char data[DISK_SIZE];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    memset(data, 'z', sizeof(data));
    assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

void files_make_memory(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(ftruncate(fd, MEMORY_SIZE), 0);
    assert_int_equal(pwrite(fd, guest_image, files_image_size(), GUEST_ADDRESS),
                     files_image_size());
    close(fd);
}

void files_expect_memory_unchanged(const char *path)
{
    static uint8_t now[MEMORY_SIZE];
    static uint8_t before[MEMORY_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    memcpy(before + GUEST_ADDRESS, guest_image, files_image_size());
    assert_int_equal(read(fd, now, sizeof(now)), sizeof(now));
    assert_memory_equal(now, before, sizeof(now));
    close(fd);
}
