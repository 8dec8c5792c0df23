/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: what a confined import can no longer do. Each check runs in a child, since there is no
 * way back. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/image/import/confine.h"

/* Runs `check` in a child, which returns the number of the line that failed, or 0. */
static void run_in_child(int (*check)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        _exit(check() & 0xff);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %x: line %d modulo 256", (unsigned)status, WEXITSTATUS(status));
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

static int check_system_calls(void)
{
    char *const arguments[] = {(char *)"true", NULL};
    char byte = 0;
    int fd = open("/dev/zero", O_RDONLY);

    REQUIRE(confine_system_calls(NULL) == 0);
    REQUIRE(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
    REQUIRE(execv("/bin/true", arguments) < 0 && errno == EPERM);
    REQUIRE(chroot("/") < 0 && errno == EPERM);
    REQUIRE(mkfifo("/tmp/test-confine-fifo", 0600) < 0 && errno == EPERM);
    REQUIRE(chmod("/tmp", 01777) < 0 && errno == EPERM);
    REQUIRE(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == EPERM);
    REQUIRE(read(fd, &byte, 1) == 1);
    return 0;
}

static void test_system_calls(void **state)
{
    (void)state;
    run_in_child(check_system_calls);
}

static char directory[] = "/tmp/test-confine.XXXXXX";

static int check_files(void)
{
    char path[64];

    REQUIRE(confine_files(directory, "/usr/share", NULL) == 0);
    snprintf(path, sizeof(path), "%s/new", directory);
    REQUIRE(mkdir(path, 0700) == 0 && rmdir(path) == 0);
    REQUIRE(open("/usr/share", O_RDONLY) >= 0);
    REQUIRE(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    REQUIRE(open("/tmp/test-confine-file", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
    REQUIRE(open("/usr/share/test-confine-file", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
    REQUIRE(symlink("x", path) < 0 && errno == EACCES);
    return 0;
}

/* Without Landlock in the kernel, it must do nothing and say nothing. */
static int check_files_unsupported(void)
{
    REQUIRE(confine_files(directory, "/usr/share", NULL) == 0);
    REQUIRE(open("/etc/passwd", O_RDONLY) >= 0);
    return 0;
}

static void test_files(void **state)
{
    bool supported =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 2;

    (void)state;
    assert_non_null(mkdtemp(directory));
    run_in_child(supported ? check_files : check_files_unsupported);
    assert_int_equal(rmdir(directory), 0);
}

static int check_resources(void)
{
    struct rlimit limit;

    REQUIRE(confine_resources(NULL) == 0);
    REQUIRE(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur <= 8ULL << 30);
    return 0;
}

static void test_resources(void **state)
{
    (void)state;
    run_in_child(check_resources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_calls),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_resources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
