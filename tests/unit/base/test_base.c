/* SPDX-License-Identifier: Apache-2.0 */
/* The base library: errors, parsing, logging, bytes, lists, whole reads and writes,
 * text, programs. */
#include <stdlib.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/error.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"
#include "vmm/base/search_path.h"
#include "vmm/base/string_list.h"

/* ---- errors ---- */

static void errors_gather_context(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(error_set(&err, EINVAL, "bad %s", "thing"), -EINVAL);
    assert_int_equal(err.code, EINVAL);
    assert_string_equal(err.text, "bad thing");
    assert_int_equal(error_wrap(&err, -EINVAL, "image %d", 7), -EINVAL);
    assert_string_equal(err.text, "image 7: bad thing");
    assert_int_equal(error_set_errno(&err, ENOENT, "/x"), -ENOENT);
    assert_string_equal(err.text, "/x: No such file or directory");
    assert_int_equal(error_set(NULL, EPERM, "nobody listens"), -EPERM);
    assert_int_equal(error_wrap(NULL, -ENOENT, "nobody"), -ENOENT);
}

static void errors_are_cut_and_not_overrun(void **state)
{
    struct error err = ERROR_INIT;
    char *text = malloc(3 * ERROR_TEXT_SIZE);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 3 * ERROR_TEXT_SIZE - 1);
    text[3 * ERROR_TEXT_SIZE - 1] = '\0';
    error_set_errno(&err, EINVAL, "%s", text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    error_wrap(&err, -EINVAL, "%s", text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    error_set(&err, EINVAL, "short");
    assert_string_equal(err.text, "short");
    free(text);
}

/* ---- parsing ---- */

static void numbers_are_strict(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"100", 0, 100},
        {"007", 0, 7},
        {"", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1k", -EINVAL, 0},
        {"101", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0},
    };
    uint64_t value = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;

        value = 4711;
        assert_int_equal(parse_u64(cases[i].text, "--cpus", 0, 100, &value, &err), cases[i].rc);
        assert_int_equal(value, cases[i].rc == 0 ? cases[i].value : 4711);
        if (cases[i].rc < 0)
            assert_memory_equal(err.text, "--cpus: ", 8);
    }
    assert_int_equal(parse_u64("18446744073709551615", "n", 0, UINT64_MAX, &value, NULL), 0);
    assert_int_equal(value, UINT64_MAX);
    assert_int_equal(parse_u64("4", "n", 5, 6, &value, NULL), -ERANGE);
}

static void sizes_are_those_of_docker(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t bytes;
    } cases[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"512b", 0, 512},
        {"1k", 0, 1024},
        {"1K", 0, 1024},
        {"128m", 0, 128U << 20},
        {"128MB", 0, 128U << 20},
        {"128MiB", 0, 128U << 20},
        {"2g", 0, 2ULL << 30},
        {"1t", 0, 1ULL << 40},
        {"16777215t", 0, 16777215ULL << 40},
        {"16777216t", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0},
        {"12Q", -EINVAL, 0},
        {"m", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-1m", -EINVAL, 0},
        {"1.5g", 0, 3ULL << 29},
        {".5m", 0, 1U << 19},
        {"0.25k", 0, 256},
        {"1.9", 0, 1},
        {"16777215.999999t", 0, (16777215ULL << 40) + 1099510528264},
        {"1.1234567m", -EINVAL, 0},
        {"1.5.5m", -EINVAL, 0},
        {".m", -EINVAL, 0},
        {".", -EINVAL, 0},
        {"1mm", -EINVAL, 0},
        {"1bb", -EINVAL, 0},
        {"1m ", -EINVAL, 0},
        {"1mibs", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;
        uint64_t bytes = 4711;

        assert_int_equal(parse_size(cases[i].text, "-m", &bytes, &err), cases[i].rc);
        assert_int_equal(bytes, cases[i].rc == 0 ? cases[i].bytes : 4711);
        if (cases[i].rc < 0)
            assert_memory_equal(err.text, "-m: ", 4);
    }
}

static void fractions_have_three_digits(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint32_t value;
    } cases[] = {
        {"2", 0, 2000},         {"1.5", 0, 1500},    {"0.01", 0, 10},      {"1000", 0, 1000000},
        {"1.2345", -EINVAL, 0}, {"0", -ERANGE, 0},   {"0.0", -ERANGE, 0},  {"1001", -ERANGE, 0},
        {".5", 0, 500},         {"1,5", -EINVAL, 0}, {"", -EINVAL, 0},     {"1.5x", -EINVAL, 0},
        {".", -EINVAL, 0},      {".x", -EINVAL, 0},  {".009", -ERANGE, 0}, {"0.009", -ERANGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;
        uint32_t value = 4711;

        assert_int_equal(parse_millicpus(cases[i].text, "--cpus", &value, &err), cases[i].rc);
        assert_int_equal(value, cases[i].rc == 0 ? cases[i].value : 4711);
    }
}

/* ---- log ---- */

static char *read_log(int fd)
{
    static char text[65536];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void the_log_has_levels_and_lines(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);

    (void)state;
    log_configure(fd, LOG_LEVEL_WARNING);
    log_error("first");
    log_warning("number %d", 2);
    log_info("not this");
    log_debug("nor this");
    log_error("of an image: \033]0;title\a\nmicrovm: forged");
    assert_string_equal(read_log(fd), "microvm: first\nmicrovm: warning: number 2\n"
                                      "microvm: of an image: ?]0;title??microvm: forged\n");
    close(fd);
}

static void a_guest_cannot_flood_the_log(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    unsigned counter = 0;
    unsigned other = 0;

    (void)state;
    log_configure(fd, LOG_LEVEL_WARNING);
    for (unsigned i = 0; i < 1000; i++)
        log_limited(&counter, "again %u", i);
    assert_int_equal(count_lines(read_log(fd)), LOG_LIMIT);
    log_limited(&other, "another counter");
    assert_int_equal(count_lines(read_log(fd)), LOG_LIMIT + 1);
    close(fd);
}

static void a_long_message_is_one_line(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    char text[5000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_configure(fd, LOG_LEVEL_WARNING);
    log_error("%s", text);
    log_error("next");
    assert_int_equal(count_lines(read_log(fd)), 2);
    close(fd);
}

/* ---- bytes and lists ---- */

static void numbers_are_little_endian_anywhere(void **state)
{
    uint8_t bytes[9] = {0};

    (void)state;
    store_le64(bytes + 1, 0x0807060504030201ULL);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(bytes[i], i);
    assert_int_equal(load_le16(bytes + 1), 0x0201);
    assert_int_equal(load_le32(bytes + 3), 0x06050403);
    assert_int_equal(load_le64(bytes + 1), 0x0807060504030201ULL);
    store_le16(bytes, 0xabcd);
    assert_int_equal(bytes[0], 0xcd);
    assert_int_equal(align_up(4097, 4096), 8192);
    assert_int_equal(align_up(4096, 4096), 4096);
    assert_int_equal(align_down(8191, 4096), 4096);
}

static void mac_addresses(void **state)
{
    static const char *const bad[] = {"",
                                      "02",
                                      "02:",
                                      "02:00:00:00:00",
                                      "02:00:00:00:00:0",
                                      "02:00:00:00:00:01:",
                                      "02:00:00:00:00:001",
                                      "2:00:00:00:00:01",
                                      "02-00-00-00-00-01",
                                      "0g:00:00:00:00:01",
                                      "ff:ff:ff:ff:ff:ff",
                                      "01:00:5e:00:00:01"};
    static const uint8_t expected[PARSE_MAC_SIZE] = {0x02, 0xAB, 0xcd, 0x0f, 0xf0, 0x99};
    uint8_t mac[PARSE_MAC_SIZE];

    (void)state;
    assert_int_equal(parse_mac("02:AB:cd:0F:f0:99", "x", mac, NULL), 0);
    assert_memory_equal(mac, expected, sizeof(expected));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(parse_mac(bad[i], "x", mac, NULL), -EINVAL);
}

static void lists_end_with_null(void **state)
{
    AUTO_STRING_LIST struct string_list list = {0};
    AUTO_STRING_LIST struct string_list more = {0};

    (void)state;
    assert_int_equal(string_list_add(&list, "one"), 0);
    assert_int_equal(string_list_add_format(&list, "%s%d", "tw", 0), 0);
    assert_int_equal(string_list_add_all(&more, &list), 0);
    assert_int_equal(string_list_add_all(&more, &list), 0);
    assert_int_equal(more.count, 4);
    assert_string_equal(more.items[3], "tw0");
    assert_null(more.items[4]);
    string_list_remove_prefix(&more, "on");
    assert_int_equal(more.count, 2);
    assert_string_equal(more.items[0], "tw0");
    assert_null(more.items[2]);
    string_list_remove_prefix(&more, "");
    assert_int_equal(more.count, 0);
    string_list_remove_prefix(&more, "x");
    string_list_release(&more);
    assert_int_equal(more.count, 0);
    assert_null(more.items);
}

/* ---- input and output ---- */

static void files_are_read_whole_within_a_limit(void **state)
{
    char path[] = "/tmp/microvm-test-XXXXXX";
    AUTO_CLOSE int fd = mkstemp(path);
    struct error err = ERROR_INIT;
    char *data = NULL;
    size_t size = 0;

    (void)state;
    assert_int_equal(io_write_all(fd, "hello", 5), 0);
    assert_int_equal(io_read_file(AT_FDCWD, path, 5, &data, &size, &err), 0);
    assert_int_equal(size, 5);
    assert_string_equal(data, "hello");
    free(data);
    assert_int_equal(io_read_file(AT_FDCWD, path, 4, &data, &size, &err), -EFBIG);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(io_read_file(AT_FDCWD, "/tmp", 4096, &data, &size, &err), -EINVAL);
    unlink(path);
    assert_int_equal(io_read_file(AT_FDCWD, path, 5, &data, &size, &err), -ENOENT);
}

static void reads_and_writes_are_whole(void **state)
{
    AUTO_CLOSE int fd = memfd_create("data", MFD_CLOEXEC);
    char bytes[16];
    int ends[2];

    (void)state;
    assert_int_equal(io_write_all(fd, "0123456789", 10), 0);
    assert_int_equal(io_pread_full(fd, bytes, 4, 3), 4);
    assert_memory_equal(bytes, "3456", 4);
    assert_int_equal(io_pread_full(fd, bytes, 16, 8), 2);
    assert_int_equal(io_read_full(fd, bytes, 16), 0);
    assert_int_equal(io_read_full(-1, bytes, 16), -EBADF);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(io_write_all(ends[1], "x", 1), -EPIPE);
    close(ends[1]);
}

/* ---- programs ---- */

static void expect_program(const char *name, const char *expected)
{
    AUTO_FREE char *path = search_path_find(name);

    if (!expected) {
        assert_null(path);
        return;
    }
    assert_non_null(path);
    assert_string_equal(path, expected);
}

static void programs_are_found_as_a_shell_finds_them(void **state)
{
    char directory[] = "/tmp/test-search.XXXXXX";
    char program[64];
    char plain[64];
    char list[128];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(program, sizeof(program), "%s/microvm-a", directory);
    snprintf(plain, sizeof(plain), "%s/microvm-b", directory);
    snprintf(list, sizeof(list), "/nonexistent:/:%s", directory);
    close(open(program, O_CREAT | O_WRONLY, 0755));
    close(open(plain, O_CREAT | O_WRONLY, 0644));

    setenv("PATH", list, 1);
    expect_program("microvm-a", program);
    expect_program("microvm-b", NULL); /* cannot be executed */
    expect_program("tmp", NULL);       /* a directory of / */
    expect_program(program, program);
    expect_program(plain, NULL);
    expect_program(directory, NULL);
    setenv("PATH", "/nonexistent", 1);
    expect_program("microvm-a", NULL);
    expect_program("ldconfig", "/usr/sbin/ldconfig"); /* an administrator's */
    setenv("PATH", "", 1);
    assert_int_equal(chdir(directory), 0);
    expect_program("microvm-a", "./microvm-a");

    unlink(program);
    unlink(plain);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_gather_context),
        cmocka_unit_test(errors_are_cut_and_not_overrun),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(sizes_are_those_of_docker),
        cmocka_unit_test(fractions_have_three_digits),
        cmocka_unit_test(the_log_has_levels_and_lines),
        cmocka_unit_test(a_guest_cannot_flood_the_log),
        cmocka_unit_test(a_long_message_is_one_line),
        cmocka_unit_test(numbers_are_little_endian_anywhere),
        cmocka_unit_test(mac_addresses),
        cmocka_unit_test(lists_end_with_null),
        cmocka_unit_test(files_are_read_whole_within_a_limit),
        cmocka_unit_test(reads_and_writes_are_whole),
        cmocka_unit_test(programs_are_found_as_a_shell_finds_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
