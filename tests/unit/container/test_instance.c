/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instance directories: names, locks, the sweep of dead ones, what it must never touch; and the
 * launch of a monitor, which here is this program (see fake_monitor()).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/log.h"
#include "vmm/base/remove_tree.h"
#include "vmm/container/instance.h"
#include "vmm/container/instance_name.h"
#include "vmm/monitor/control_protocol.h"
#include "vmm/monitor/monitor_link.h"

#define FAKE_STATUS 7

static char base[64];    /* a directory of this test, removed at its end */
static char runtime[80]; /* MICROVM_RUNTIME, in it */

static int set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/test-instance-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    snprintf(runtime, sizeof(runtime), "%s/run", base);
    return setenv("MICROVM_RUNTIME", runtime, 1);
}

static int tear_down(void **state)
{
    (void)state;
    return remove_tree(AT_FDCWD, base);
}

static const char *below(const char *directory, const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static bool exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

/* As if the owner had been killed: its descriptors close, its directory stays. */
static void abandon(struct instance *instance)
{
    close(instance->control_listener);
    close(instance->lock_fd);
    close(instance->directory_fd);
    close(instance->runtime_lock_fd);
    close(instance->runtime_fd);
    free(instance->directory);
    *instance = (struct instance)INSTANCE_INIT;
}

static void names(void **state)
{
    static const char *const good[] = {"a", "Web-1", "x_y.z", "0"};
    static const char *const bad[] = {"", ".", "..", ".a", "-a", "_a", "a/b", "a b", "\xc3\xa4"};
    char longest[INSTANCE_NAME_MAX + 2];
    char name[INSTANCE_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(instance_name_is_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(instance_name_is_valid(bad[i]));
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(instance_name_is_valid(longest));
    assert_true(instance_name_is_valid(longest + 1));
    for (uint32_t seed = 0; seed < 5000; seed++) {
        instance_name_generate(seed, name);
        assert_true(instance_name_is_valid(name));
        assert_true(strlen(name) <= 24);
        assert_non_null(strchr(name, '_'));
    }
}

static void create_and_destroy(void **state)
{
    struct instance instance;
    struct error err = ERROR_INIT;
    struct stat status;

    (void)state;
    assert_int_equal(instance_create("one", &instance, &err), 0);
    assert_string_equal(instance.name, "one");
    assert_string_equal(instance.directory, below(runtime, "one"));
    assert_int_equal(stat(instance.directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(exists(below(instance.directory, "control.sock")));
    assert_int_equal(mkdir(below(instance.directory, "deep"), 0700), 0);
    touch(below(instance.directory, "deep/file"));
    instance_destroy(&instance);
    assert_false(exists(below(runtime, "one")));
    instance_destroy(&instance); /* twice does no harm */
    assert_int_equal(instance_create(NULL, &instance, &err), 0);
    assert_true(instance_name_is_valid(instance.name));
    instance_destroy(&instance);
}

static void a_name_is_used_once(void **state)
{
    struct instance first;
    struct instance second;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(instance_create("web", &first, &err), 0);
    assert_int_equal(instance_create("web", &second, &err), -EEXIST);
    assert_non_null(strstr(err.text, "--name: 'web' is running already"));
    assert_true(exists(first.directory));
    assert_int_equal(instance_create("../x", &second, &err), -EINVAL);
    abandon(&first); /* a dead one of that name makes room without a sweep */
    assert_int_equal(instance_create("web", &second, &err), 0);
    instance_destroy(&second);
}

static void sweep_removes_the_dead_only(void **state)
{
    struct instance living;
    struct instance dead;
    struct error err = ERROR_INIT;

    (void)state;
    instance_sweep(); /* nothing there yet, not even RUNTIME */
    assert_int_equal(instance_create("living", &living, &err), 0);
    assert_int_equal(instance_create("dead", &dead, &err), 0);
    instance_sweep();
    assert_true(exists(below(runtime, "dead")));
    abandon(&dead);
    assert_int_equal(mkdir(below(runtime, "halfmade"), 0700), 0);
    instance_sweep();
    assert_false(exists(below(runtime, "dead")));
    assert_false(exists(below(runtime, "halfmade")));
    assert_true(exists(below(living.directory, "lock")));
    instance_destroy(&living);
}

/* The monitor inherits the lock: an instance lives as long as either process does. */
static void an_inherited_lock_keeps_it_alive(void **state)
{
    struct instance instance;
    struct error err = ERROR_INIT;
    int inherited;

    (void)state;
    assert_int_equal(instance_create("shared", &instance, &err), 0);
    inherited = dup(instance.lock_fd);
    abandon(&instance);
    instance_sweep();
    assert_true(exists(below(runtime, "shared")));
    close(inherited);
    instance_sweep();
    assert_false(exists(below(runtime, "shared")));
}

static void links_are_never_followed(void **state)
{
    struct instance instance;
    struct error err = ERROR_INIT;
    char treasure[80];

    (void)state;
    snprintf(treasure, sizeof(treasure), "%s/treasure", base);
    assert_int_equal(mkdir(treasure, 0700), 0);
    touch(below(treasure, "lock")); /* looks like a dead instance, if one follows the link */
    touch(below(treasure, "gold"));
    assert_int_equal(instance_create("inside", &instance, &err), 0);
    assert_int_equal(symlink(treasure, below(instance.directory, "link")), 0);
    assert_int_equal(symlink(treasure, below(runtime, "outside")), 0);
    instance_sweep();
    abandon(&instance);
    instance_sweep();
    assert_false(exists(below(runtime, "inside")));
    assert_true(exists(below(base, "treasure/gold")));
    assert_true(exists(below(base, "treasure/lock")));
    assert_int_equal(instance_create("outside", &instance, &err), -EEXIST);
    assert_true(exists(below(base, "treasure/gold")));
}

static void foreign_directories_are_left_alone(void **state)
{
    struct instance instance;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(mkdir(runtime, 0700), 0);
    assert_int_equal(mkdir(below(runtime, "photos"), 0700), 0);
    touch(below(runtime, "photos/lock"));
    instance_sweep();
    assert_true(exists(below(runtime, "photos/lock")));
    assert_int_equal(instance_create("x", &instance, &err), -EPERM);
    assert_non_null(strstr(err.text, "was not made by microvm"));
    assert_false(exists(below(runtime, ".lock")));
    assert_int_equal(remove_tree(AT_FDCWD, runtime), 0);

    assert_int_equal(mkdir(runtime, 0700), 0);
    assert_int_equal(chmod(runtime, 0777), 0);
    assert_int_equal(instance_create("x", &instance, &err), -EPERM);
    assert_non_null(strstr(err.text, "can write to it"));

    setenv("MICROVM_RUNTIME", "relative", 1);
    assert_int_equal(instance_create("x", &instance, &err), -EINVAL);
    setenv("MICROVM_RUNTIME",
           "/tmp/a-directory-whose-path-is-so-long-that-no-unix-socket-below-it-can-have-a-name",
           1);
    assert_int_equal(instance_create(NULL, &instance, &err), -ENAMETOOLONG);
}

#define RACERS 4
#define ROUNDS 60

/* Makes, sweeps and removes; fails if an instance that it holds is removed. */
static int race(unsigned number)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct instance instance;
        struct error err = ERROR_INIT;
        int rc = instance_create(i % 2 ? "contested" : NULL, &instance, &err);

        if (rc == -EEXIST && i % 2)
            continue;
        if (rc < 0)
            return 1;
        instance_sweep();
        if (!exists(below(instance.directory, "lock")) ||
            !exists(below(instance.directory, "control.sock")))
            return 2;
        if ((i + number) % 5 == 0)
            abandon(&instance);
        else
            instance_destroy(&instance);
    }
    return 0;
}

static void commands_at_the_same_time(void **state)
{
    pid_t pids[RACERS];
    struct stat status;

    (void)state;
    for (unsigned i = 0; i < RACERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(race(i));
    }
    for (unsigned i = 0; i < RACERS; i++) {
        int ended = -1;

        assert_int_equal(waitpid(pids[i], &ended, 0), pids[i]);
        assert_int_equal(ended, 0);
    }
    instance_sweep();
    assert_int_equal(stat(runtime, &status), 0);
    assert_int_equal(status.st_nlink, 2); /* no directory is left in it */
}

static int launch(struct instance *instance, const struct machine_spec *spec, int console_fd,
                  struct monitor_link *link, struct error *err)
{
    struct fd_table descriptors = {.count = 0};
    const struct monitor_launch launch = {
        .directory = instance->directory,
        .directory_fd = instance->directory_fd,
        .lock_fd = instance->lock_fd,
        .control_listener = &instance->control_listener,
        .trace_fd = -1,
        .spec = spec,
        .descriptors = &descriptors,
    };

    assert_int_equal(fd_table_add(&descriptors, "console", console_fd, err), 0);
    return monitor_launch(&launch, link, err);
}

static void launch_and_reap(void **state)
{
    struct machine_spec spec = {.memory_bytes = 1 << 20, .vcpu_count = 1, .kernel_name = NULL};
    struct monitor_link link;
    struct control_event *event = malloc(sizeof(*event));
    struct instance instance;
    struct error err = ERROR_INIT;
    int console[2];

    (void)state;
    spec.kernel_name = strdup("/kernel");
    spec.command_line = strdup("quiet");
    assert_non_null(event);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console), 0);
    for (int with_console = 0; with_console < 2; with_console++) {
        int ended;

        assert_int_equal(instance_create("fake", &instance, &err), 0);
        assert_int_equal(launch(&instance, &spec, with_console ? console[1] : -1, &link, &err), 0);
        assert_int_equal(control_receive_event(link.control_fd, event, &err), 1);
        assert_string_equal(event->text, "");
        assert_int_equal(event->status, with_console);
        ended = monitor_link_reap(&link);
        assert_true(WIFEXITED(ended));
        assert_int_equal(WEXITSTATUS(ended), FAKE_STATUS);
        assert_int_equal(link.pid, -1);
        instance_destroy(&instance);
    }
    close(console[0]);
    close(console[1]);
    machine_spec_clear(&spec);
    free(event);
}

/* A monitor that dies before it accepts: its client gets the end of the connection, and no hang. */
static void a_monitor_that_dies(void **state)
{
    struct machine_spec spec = {.memory_bytes = 1 << 20, .vcpu_count = 1, .kernel_name = NULL};
    struct monitor_link link;
    struct control_event *event = malloc(sizeof(*event));
    struct instance instance;
    struct error err = ERROR_INIT;
    int ended;

    (void)state;
    spec.kernel_name = strdup("/die");
    spec.command_line = strdup("quiet");
    assert_non_null(event);
    assert_int_equal(instance_create("dies", &instance, &err), 0);
    assert_int_equal(launch(&instance, &spec, -1, &link, &err), 0);
    assert_true(control_receive_event(link.control_fd, event, &err) <= 0);
    ended = monitor_link_reap(&link);
    assert_true(WIFSIGNALED(ended));
    assert_int_equal(WTERMSIG(ended), SIGILL);
    instance_destroy(&instance);
    machine_spec_clear(&spec);
    free(event);
}

/* A monitor that hangs is killed when its time is over, with a warning. */
static void a_monitor_that_hangs(void **state)
{
    struct machine_spec spec = {.memory_bytes = 1 << 20, .vcpu_count = 1, .kernel_name = NULL};
    struct monitor_link link;
    struct instance instance;
    struct error err = ERROR_INIT;
    char line[200] = "";
    int words[2];
    int ended;

    (void)state;
    assert_int_equal(pipe(words), 0);
    log_configure(words[1], LOG_LEVEL_WARNING);
    spec.kernel_name = strdup("/hang");
    spec.command_line = strdup("quiet");
    assert_int_equal(instance_create("hangs", &instance, &err), 0);
    assert_int_equal(launch(&instance, &spec, -1, &link, &err), 0);
    assert_int_equal(monitor_link_patience_ms(&link), -1); /* it may run for ever */
    assert_false(monitor_link_is_overdue(&link));
    monitor_link_end_by(&link, 50);
    monitor_link_end_by(&link, 60000); /* never gives more time */
    assert_in_range(monitor_link_patience_ms(&link), 0, 51);
    usleep(60000);
    assert_int_equal(monitor_link_patience_ms(&link), 0);
    assert_false(monitor_link_is_overdue(&link));
    assert_true(link.killed);
    assert_true(read(words[0], line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "the monitor, process "));
    assert_non_null(strstr(line, "was killed"));
    ended = monitor_link_reap(&link);
    assert_true(WIFSIGNALED(ended));
    assert_int_equal(WTERMSIG(ended), SIGKILL);
    log_configure(STDERR_FILENO, LOG_LEVEL_WARNING);
    instance_destroy(&instance);
    machine_spec_clear(&spec);
    close(words[0]);
    close(words[1]);
}

/* Checks what a monitor is started with; returns the first fault, or "". */
static const char *look_around(const struct fd_table *descriptors)
{
    struct stat status;

    if (environ[0])
        return "the environment is not empty";
    if (getsid(0) != getpid())
        return "no session of its own";
    if (!fd_table_has(descriptors, "lock"))
        return "no lock";
    if (fstat(STDIN_FILENO, &status) < 0 || !S_ISCHR(status.st_mode))
        return "standard input is not /dev/null";
    for (int fd = FD_TABLE_FIRST + (int)descriptors->count; fd < 256; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            return "a descriptor of the client";
    }
    return "";
}

static int fake_monitor(const char *names)
{
    struct control_event *event = calloc(1, sizeof(*event));
    struct fd_table descriptors;
    char json[512] = "";
    char byte;
    int fd;

    if (!event || fd_table_receive(names, &descriptors, NULL) < 0 ||
        pread(fd_table_take(&descriptors, "machine"), json, sizeof(json) - 1, 0) < 0)
        return 1;
    if (strstr(json, "/die"))
        __builtin_trap(); /* what the first process of a namespace sends itself is ignored */
    if (strstr(json, "/hang"))
        for (;;) /* as if a system call that its guest caused never came back */
            pause();
    event->type = CONTROL_EVENT_END;
    event->reason = MACHINE_EXIT;
    snprintf(event->text, sizeof(event->text), "%s", look_around(&descriptors));
    event->status = fd_table_has(&descriptors, "console");
    fd = accept(fd_table_take(&descriptors, "control"), NULL, NULL);
    if (fd < 0 || control_send_event(fd, event, NULL) < 0)
        return 2;
    free(event);
    return read(fd, &byte, 1) == 0 ? FAKE_STATUS : 3; /* until the client goes */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        TEST(create_and_destroy),
        TEST(a_name_is_used_once),
        TEST(sweep_removes_the_dead_only),
        TEST(an_inherited_lock_keeps_it_alive),
        TEST(links_are_never_followed),
        TEST(foreign_directories_are_left_alone),
        TEST(commands_at_the_same_time),
        TEST(launch_and_reap),
        TEST(a_monitor_that_dies),
        TEST(a_monitor_that_hangs),
    };

    if (argc == 5 && strcmp(argv[1], "__monitor") == 0)
        return fake_monitor(argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
