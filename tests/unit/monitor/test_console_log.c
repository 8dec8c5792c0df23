/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a console is bounded in the file and in memory, and its tail is plain text. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/monitor/console_log.h"

static void add(struct console_log *log, const char *text)
{
    console_log_add(log, text, strlen(text));
}

static void tail_is_plain_text(void **state)
{
    struct console_log log = {.fd = -1};
    char tail[CONTROL_CONSOLE_MAX + 1];

    (void)state;
    console_log_tail(&log, tail);
    assert_string_equal(tail, "");
    add(&log, "\033[1;31mred\033[0m\r\n\tnext\007\n");
    add(&log, "caf\xc3\xa9\n");
    console_log_tail(&log, tail);
    assert_string_equal(tail, "red\n\tnext\ncaf??\n");
}

static void tail_is_the_last_of_it(void **state)
{
    struct console_log log = {.fd = -1};
    static char much[3 * CONTROL_CONSOLE_MAX];
    char tail[CONTROL_CONSOLE_MAX + 1];

    (void)state;
    memset(much, 'x', sizeof(much));
    add(&log, "first");
    console_log_add(&log, much, sizeof(much));
    add(&log, "last");
    console_log_tail(&log, tail);
    assert_int_equal(strlen(tail), CONTROL_CONSOLE_MAX);
    assert_string_equal(tail + CONTROL_CONSOLE_MAX - 5, "xlast");
    memcpy(much + sizeof(much) - 3, "end", 3);
    console_log_add(&log, much, sizeof(much));
    console_log_tail(&log, tail);
    assert_string_equal(tail + CONTROL_CONSOLE_MAX - 4, "xend");
}

static void file_is_bounded(void **state)
{
    static char block[65536];
    struct console_log log = {.fd = memfd_create("log", MFD_CLOEXEC)};
    struct stat status;

    (void)state;
    for (int i = 0; i < 20; i++)
        console_log_add(&log, block, sizeof(block) - 1);
    assert_int_equal(fstat(log.fd, &status), 0);
    assert_int_equal(status.st_size, CONSOLE_LOG_FILE_MAX);
    close(log.fd);
}

static void panic_is_found(void **state)
{
    char line[256];

    (void)state;
    assert_false(console_log_find_panic("all is well\n", line, sizeof(line)));
    assert_true(console_log_find_panic("a\n[1.2] Kernel panic - not syncing: No init\nb\n", line,
                                       sizeof(line)));
    assert_string_equal(line, "Kernel panic - not syncing: No init");
    assert_true(console_log_find_panic("Initramfs unpacking failed: compression method gzip not "
                                       "configured\r\nKernel panic - not syncing: VFS: none\r\n",
                                       line, sizeof(line)));
    assert_int_equal(strncmp(line,
                             "Kernel panic - not syncing: VFS: none; Initramfs unpacking failed: "
                             "compression method gzip not configured: ",
                             105),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tail_is_plain_text),
        cmocka_unit_test(tail_is_the_last_of_it),
        cmocka_unit_test(file_is_bounded),
        cmocka_unit_test(panic_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
