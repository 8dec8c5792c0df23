/* SPDX-License-Identifier: Apache-2.0 */
/* Archives for the guest kernel, as the real cpio program reads them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/io.h"
#include "vmm/compare/cpio.h"

/* Runs `cpio OPTIONS` on the archive; returns its output, which the caller frees. */
static char *read_back(const struct cpio *cpio, const char *options)
{
    char path[] = "/tmp/test-cpio-XXXXXX";
    char command[256];
    int fd = mkstemp(path);
    char *text = calloc(1, 65536);
    FILE *pipe;

    assert_true(fd >= 0);
    assert_non_null(text);
    assert_int_equal(io_write_all(fd, cpio->data, cpio->size), 0);
    close(fd);
    snprintf(command, sizeof(command), "cpio --quiet %s < %s 2>&1", options, path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_true(fread(text, 1, 65535, pipe) > 0);
    assert_int_equal(pclose(pipe), 0);
    unlink(path);
    return text;
}

static void lists_as_written(void **state)
{
    struct cpio cpio = {0};
    char *text;

    (void)state;
    assert_int_equal(cpio_add_directory(&cpio, "bundle", 0755, NULL), 0);
    assert_int_equal(cpio_add_file(&cpio, "bundle/a", 0640, "12345", 5, NULL), 0);
    assert_int_equal(cpio_add_file(&cpio, "bundle/empty", 0600, NULL, 0, NULL), 0);
    assert_int_equal(cpio_finish(&cpio, NULL), 0);
    text = read_back(&cpio, "-itvn");
    assert_non_null(
        strstr(text, "drwxr-xr-x   2 0        0               0 Jan  1  1970 bundle\n"));
    assert_non_null(
        strstr(text, "-rw-r-----   1 0        0               5 Jan  1  1970 bundle/a\n"));
    assert_non_null(
        strstr(text, "-rw-------   1 0        0               0 Jan  1  1970 bundle/empty\n"));
    free(text);
    cpio_release(&cpio);
}

/* Every remainder of the four-byte alignment, of names as of contents. */
static void contents_come_back(void **state)
{
    static const char data[] = "abcdefghijklmnop";

    (void)state;
    for (size_t name_length = 1; name_length <= 8; name_length++) {
        for (size_t size = 1; size <= 8; size++) {
            struct cpio cpio = {0};
            char name[9] = "";
            char command[64];
            char *text;

            memset(name, 'n', name_length);
            assert_int_equal(cpio_add_file(&cpio, name, 0644, data, size, NULL), 0);
            assert_int_equal(cpio_add_file(&cpio, "after", 0644, "next", 4, NULL), 0);
            assert_int_equal(cpio_finish(&cpio, NULL), 0);
            assert_int_equal(cpio.size % 4, 0);
            snprintf(command, sizeof(command), "-i --to-stdout %s", name);
            text = read_back(&cpio, command);
            assert_int_equal(strlen(text), size);
            assert_memory_equal(text, data, size);
            free(text);
            text = read_back(&cpio, "-i --to-stdout after");
            assert_string_equal(text, "next");
            free(text);
            cpio_release(&cpio);
        }
    }
}

static void grows_and_refuses(void **state)
{
    struct cpio cpio = {0};
    struct error err = ERROR_INIT;
    char *large = calloc(1, 1 << 20);
    char path[5000];

    (void)state;
    assert_non_null(large);
    assert_int_equal(cpio_add_file(&cpio, "large", 0644, large, 1 << 20, NULL), 0);
    assert_true(cpio.size > 1 << 20);
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(cpio_add_file(&cpio, path, 0644, large, 1, &err), -EFBIG);
    assert_int_equal(cpio_add_file(&cpio, "x", 0644, large, 1ULL << 32, &err), -EFBIG);
    free(large);
    cpio_release(&cpio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_as_written),
        cmocka_unit_test(contents_come_back),
        cmocka_unit_test(grows_and_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
