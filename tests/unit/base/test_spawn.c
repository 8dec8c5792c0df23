/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A started program inherits nothing that is not listed. The program is this test itself: with an
 * argument it prints what it inherited, as lines.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/spawn.h"

extern char **environ;

#define TEXT_SIZE     4096
#define USUAL_SIGNALS 0x7fffffffULL /* 1 to 31; above them the C library keeps two */

/* ---- in the program ---- */

static void tell_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (!directory)
        _exit(1);
    while ((entry = readdir(directory))) {
        char link[128] = "";
        char path[300];
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] == '.' || fd == dirfd(directory))
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        (void)!readlink(path, link, sizeof(link) - 1);
        printf("fd %d %s\n", fd, link);
    }
    closedir(directory);
}

static int tell(void)
{
    char line[256];
    FILE *status;

    tell_descriptors();
    for (char **setting = environ; *setting; setting++)
        printf("env %s\n", *setting);
    printf("leader %d\n", getsid(0) == getpid());
    status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status)) {
        if (strncmp(line, "SigBlk:", 7) == 0)
            fputs(line, stdout);
        if (strncmp(line, "SigIgn:", 7) == 0)
            printf("ignored %llx\n", strtoull(line + 7, NULL, 16) & USUAL_SIGNALS);
    }
    return status ? 0 : 1;
}

/* ---- the caller ---- */

static const char *const tell_arguments[] = {"program", "tell", NULL};

/* Starts it with its output at `output`; returns what it printed. */
static void run(struct spawn spawn, int output, char text[TEXT_SIZE])
{
    struct error err = ERROR_INIT;
    ssize_t size;

    spawn.program = "/proc/self/exe";
    spawn.arguments = tell_arguments;
    assert_int_equal(spawn_run(&spawn, &err), 0);
    size = io_pread_full(output, text, TEXT_SIZE - 1, 0);
    assert_true(size > 0);
    text[size] = '\0';
}

static int make_output(void)
{
    int fd = memfd_create("output", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void no_descriptor_leaks(void **state)
{
    AUTO_CLOSE int output = make_output();
    int leak = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC */
    int high = dup2(leak, 200);
    const struct spawn_descriptor rows[] = {
        {0, SPAWN_NULL}, {1, output}, {2, output}, {7, output}, {5, -1}};
    char text[TEXT_SIZE];

    (void)state;
    run((struct spawn){.descriptors = rows, .descriptor_count = ARRAY_LENGTH(rows)}, output, text);
    assert_int_equal(count_of(text, "fd "), 4);
    assert_non_null(strstr(text, "fd 0 /dev/null\n"));
    assert_non_null(strstr(text, "fd 1 /memfd:output"));
    assert_non_null(strstr(text, "fd 2 /memfd:output"));
    assert_non_null(strstr(text, "fd 7 /memfd:output"));
    assert_true(fcntl(high, F_GETFD) >= 0); /* our own descriptors have not changed */
    close(leak);
    close(high);
}

/* Each row's target is another row's source; copies must not stay. */
static void sources_may_be_targets(void **state)
{
    int first = memfd_create("first", 0);
    int second = memfd_create("second", 0);
    AUTO_CLOSE int output = make_output();
    const struct spawn_descriptor rows[] = {
        {first, second}, {second, first}, {1, output}, {output, output}};
    char expected[64];
    char text[TEXT_SIZE];
    int next;

    (void)state;
    run((struct spawn){.descriptors = rows, .descriptor_count = ARRAY_LENGTH(rows)}, output, text);
    snprintf(expected, sizeof(expected), "fd %d /memfd:second", first);
    assert_non_null(strstr(text, expected));
    snprintf(expected, sizeof(expected), "fd %d /memfd:first", second);
    assert_non_null(strstr(text, expected));
    snprintf(expected, sizeof(expected), "fd %d /memfd:output", output);
    assert_non_null(strstr(text, expected));
    next = dup(0);
    assert_int_equal(next, output + 1);
    close(next);
    close(first);
    close(second);
}

static void signals_are_reset(void **state)
{
    AUTO_CLOSE int output = make_output();
    const struct spawn_descriptor rows[] = {{1, output}};
    char text[TEXT_SIZE];
    sigset_t all;
    sigset_t before;

    (void)state;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    run((struct spawn){.descriptors = rows, .descriptor_count = 1}, output, text);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
    assert_non_null(strstr(text, "ignored 0\n"));
    assert_non_null(strstr(text, "leader 0\n"));
}

static void environment_is_what_is_named(void **state)
{
    AUTO_CLOSE int output = make_output();
    AUTO_CLOSE int other = make_output();
    const struct spawn_descriptor rows[] = {{1, output}};
    const struct spawn_descriptor others[] = {{1, other}};
    const char *const environment[] = {"A=b", NULL};
    char text[TEXT_SIZE];

    (void)state;
    setenv("SECRET", "x", 1);
    setenv("LD_LIBRARY_PATH", "/lib", 1);
    run((struct spawn){.descriptors = rows, .descriptor_count = 1}, output, text);
    assert_int_equal(count_of(text, "env "), 1);
    assert_non_null(strstr(text, "env LD_LIBRARY_PATH=/lib\n"));
    run((struct spawn){.descriptors = others,
                       .descriptor_count = 1,
                       .environment = environment,
                       .session = true},
        other, text);
    assert_int_equal(count_of(text, "env "), 1);
    assert_non_null(strstr(text, "env A=b\n"));
    assert_non_null(strstr(text, "leader 1\n"));
    unsetenv("LD_LIBRARY_PATH");
}

static void failures_are_reported(void **state)
{
    static const struct {
        const char *program;
        int code;
    } cases[] = {
        {"/nonexistent/program", ENOENT},
        {"microvm-no-such-program", ENOENT}, /* in no directory of $PATH */
        {"/etc/passwd", EACCES},
        {"/", EACCES},
    };
    const struct spawn_descriptor bad[] = {{1, 999}};
    struct spawn spawn = {.arguments = tell_arguments};
    struct error err;
    pid_t pid = -1;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        err = (struct error)ERROR_INIT;
        spawn.program = cases[i].program;
        assert_int_equal(spawn_start(&spawn, &pid, &err), -cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.text, cases[i].program));
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    }
    spawn.program = "/bin/true";
    spawn.descriptors = bad;
    spawn.descriptor_count = 1;
    assert_int_equal(spawn_start(&spawn, &pid, &err), -EBADF);
    spawn.descriptor_count = SPAWN_DESCRIPTORS_MAX + 1;
    assert_int_equal(spawn_start(&spawn, &pid, &err), -E2BIG);
}

static void ends_are_reported(void **state)
{
    const struct spawn spawn = {.program = "false", .arguments = (const char *const[]){"x", NULL}};
    struct error err = ERROR_INIT;
    int status = 0;
    pid_t pid;

    (void)state;
    assert_int_equal(spawn_run(&spawn, &err), -EIO);
    assert_string_equal(err.text, "false failed");
    assert_int_equal(spawn_start(&spawn, &pid, NULL), 0);
    assert_int_equal(spawn_wait(pid, &status), 0);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_equal(spawn_wait(pid, &status), -ECHILD);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_descriptor_leaks),   cmocka_unit_test(sources_may_be_targets),
        cmocka_unit_test(signals_are_reset),     cmocka_unit_test(environment_is_what_is_named),
        cmocka_unit_test(failures_are_reported), cmocka_unit_test(ends_are_reported),
    };

    if (argc > 1 && strcmp(argv[1], "tell") == 0)
        return tell();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
