/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: in the jail, what a monitor does works, and the first thing else kills it. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/confine/jail.h"

/* Before a function that does not return, AddressSanitizer makes a system call of its own. */
static void leave(int status)
{
    syscall(__NR_exit_group, status);
}

/* Runs `action` in a child, in the jail; its wait status. */
static int run_jailed(void (*action)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (jail_drop_privileges(NULL) < 0 || jail_enter(NULL) < 0)
            leave(99);
        action();
        leave(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_killed(void (*action)(void))
{
    int status = run_jailed(action);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void work(void)
{
    struct epoll_event event;
    char byte = 0;
    void *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (memory == MAP_FAILED || munmap(memory, 65536) < 0 || stream < 0)
        leave(1);
    if (send(stream, &byte, 1, MSG_NOSIGNAL) == 1 || close(stream) < 0)
        leave(2);
    if (epoll_wait(-1, &event, 1, 0) == 0 || write(-1, &byte, 1) == 1 || read(-1, &byte, 1) == 1)
        leave(3);
    syscall(__NR_tgkill, getpid(), gettid(), 0);
}

static void what_a_monitor_does_works(void **state)
{
    int status = run_jailed(work);

    (void)state;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void open_file(void)
{
    (void)!open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}
static void execute(void)
{
    execl("/bin/true", "true", (char *)NULL);
}
static void use_terminal(void)
{
    struct winsize size;

    ioctl(0, TIOCGWINSZ, &size);
}
static void use_network(void)
{
    (void)!socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static void map_code(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void kill_parent(void)
{
    syscall(__NR_tgkill, getppid(), getppid(), 0);
}
static void signal_other(void)
{
    syscall(__NR_tgkill, 1, 1, 0);
}
static void make_process(void)
{
    syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
}
static void trace(void)
{
    syscall(__NR_ptrace, 0, 0, 0, 0);
}

static void other_things_kill(void **state)
{
    (void)state;
    assert_killed(open_file);
    assert_killed(execute);
    assert_killed(use_terminal);
    assert_killed(use_network);
    assert_killed(map_code);
    assert_killed(kill_parent);
    assert_killed(signal_other);
    assert_killed(make_process);
    assert_killed(trace);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *run_thread(void *opaque)
{
    pthread_mutex_lock(&gate);
    open_file();
    return opaque;
}

/* A thread that is there before is in the jail too. */
static void other_threads_are_in_it(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;

        pthread_mutex_lock(&gate);
        if (pthread_create(&thread, NULL, run_thread, NULL) != 0 ||
            jail_drop_privileges(NULL) < 0 || jail_enter(NULL) < 0)
            leave(99);
        pthread_mutex_unlock(&gate);
        pthread_join(thread, NULL);
        leave(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* The number behind `key` in the status of a task of this process; -1 = there is none. */
static long long status_of(const char *task, const char *key, int base)
{
    char path[280];
    char line[256];
    long long number = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0)
            number = strtoll(line + strlen(key), NULL, base);
    if (file)
        fclose(file);
    return number;
}

static void *wait_at_gate(void *opaque)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return opaque;
}

/* Returns how many threads have none of root's capabilities, and no way to them. */
static int count_powerless_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    int count = 0;

    while (tasks && (task = readdir(tasks)))
        count += task->d_name[0] != '.' && status_of(task->d_name, "CapEff:", 16) == 0 &&
                 status_of(task->d_name, "CapPrm:", 16) == 0 &&
                 status_of(task->d_name, "CapInh:", 16) == 0 &&
                 status_of(task->d_name, "CapAmb:", 16) == 0 &&
                 status_of(task->d_name, "NoNewPrivs:", 10) == 1;
    return count;
}

static void threads_made_later_have_no_capabilities(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;

        pthread_mutex_lock(&gate);
        if (jail_drop_privileges(NULL) < 0 ||
            pthread_create(&thread, NULL, wait_at_gate, NULL) != 0)
            leave(99);
        leave(count_powerless_threads());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

/* Where a core dump would be written, none is. */
static void no_core_is_dumped(void **state)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    char directory[] = "/tmp/microvm-jail-XXXXXX";
    int status = 0;
    pid_t child;

    (void)state;
    assert_non_null(mkdtemp(directory));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {1, 1};

        signal(SIGABRT, SIG_DFL);
        (void)!chdir(directory);
        setrlimit(RLIMIT_CORE, &unlimited);
        if (jail_drop_privileges(NULL) < 0 || prctl(PR_GET_DUMPABLE) != 0 ||
            getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max != 0)
            leave(99);
        syscall(__NR_kill, getpid(), SIGABRT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_monitor_does_works),
        cmocka_unit_test(other_things_kill),
        cmocka_unit_test(other_threads_are_in_it),
        cmocka_unit_test(threads_made_later_have_no_capabilities),
        cmocka_unit_test(no_core_is_dumped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
