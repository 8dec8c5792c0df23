/* SPDX-License-Identifier: Apache-2.0 */
/* In the jail a monitor can do its work, and anything else kills it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
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
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/confine/jail.h"
#include "vmm/confine/privileges.h"
#include "vmm/machine/devices.h"
#include "vmm/monitor/monitor.h"

/* AddressSanitizer makes its own system call before a function that does not return. */
static void leave(int status)
{
    syscall(__NR_exit_group, status);
}

/* A pair of sockets, created before the jail. */
static int stream[2];

static int close_jail(enum machine_thread thread)
{
    struct thread_calls calls;

    thread_calls_begin(&calls, thread);
    devices_add_all_calls(thread, &calls);
    if (thread == MACHINE_THREAD_LOOP)
        thread_calls_add(&calls, monitor_calls());
    return jail_close(calls.lists, calls.count, NULL);
}

static int enter(void)
{
    const struct jail_plan plan = {.namespaces = 0};
    struct jail_report report = {0};

    return jail_enter(&plan, &report, NULL);
}

/* Runs `action` in a child, in the jail of such a thread; returns its wait status. */
static int run_jailed(enum machine_thread thread, void (*action)(void))
{
    int status = 0;
    pid_t child;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (enter() < 0 || close_jail(thread) < 0)
            leave(99);
        action();
        leave(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(stream[0]);
    close(stream[1]);
    return status;
}

static void work_of_both(void)
{
    char byte = 0;

    if (write(stream[0], &byte, 1) != 1)
        leave(1);
    syscall(__NR_tgkill, getpid(), gettid(), 0);
    free(malloc(1 << 16));
}

static void work_of_loop(void)
{
    struct epoll_event event;
    char byte = 0;
    struct iovec part = {&byte, 1};
    void *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    work_of_both();
    if (memory == MAP_FAILED || munmap(memory, 65536) < 0)
        leave(1);
    if (send(stream[0], &byte, 1, MSG_NOSIGNAL) != 1 || recv(stream[1], &byte, 1, 0) != 1 ||
        readv(stream[1], &part, 1) != 1 || shutdown(stream[0], SHUT_WR) < 0 || close(stream[0]) < 0)
        leave(2);
    if (epoll_wait(-1, &event, 1, 0) == 0 || accept4(stream[1], NULL, NULL, 0) >= 0)
        leave(3);
}

static void what_a_monitor_does_works(void **state)
{
    (void)state;
    assert_int_equal(run_jailed(MACHINE_THREAD_LOOP, work_of_loop), 0);
    assert_int_equal(run_jailed(MACHINE_THREAD_VCPU, work_of_both), 0);
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
static void make_vm(void)
{
    ioctl(stream[0], KVM_CREATE_VM, 0);
}
static void use_network(void)
{
    (void)!socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static void make_unix_socket(void)
{
    (void)!socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static void connect_socket(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};

    connect(stream[0], (const struct sockaddr *)&address, sizeof(address));
}
static void pass_descriptor(void)
{
    struct msghdr message = {0};

    sendmsg(stream[0], &message, 0);
}
static void take_descriptor(void)
{
    struct msghdr message = {0};

    recvmsg(stream[0], &message, MSG_DONTWAIT);
}
static void send_to_address(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};

    sendto(stream[0], "", 1, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof(address));
}
static void signal_by_descriptor(void)
{
    fcntl(stream[0], F_SETOWN, getppid());
}
static void copy_descriptor(void)
{
    (void)!dup(stream[0]);
}
static void remove_file(void)
{
    unlinkat(stream[0], "x", 0);
}
static void map_code(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void make_code(void)
{
    mprotect((void *)((uintptr_t)&stream & ~4095UL), 4096, PROT_READ | PROT_EXEC);
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
static void change_limit(void)
{
    syscall(__NR_prlimit64, 0, RLIMIT_CORE, NULL, NULL);
}

static void other_calls_kill(void **state)
{
    static const struct {
        const char *name;
        void (*action)(void);
    } actions[] = {
        {"open", open_file},
        {"execve", execute},
        {"ioctl of a terminal", use_terminal},
        {"KVM_CREATE_VM", make_vm},
        {"socket of the internet", use_network},
        {"UNIX socket", make_unix_socket},
        {"connect", connect_socket},
        {"sendmsg", pass_descriptor},
        {"recvmsg", take_descriptor},
        {"sendto an address", send_to_address},
        {"F_SETOWN", signal_by_descriptor},
        {"dup", copy_descriptor},
        {"unlinkat", remove_file},
        {"mmap of code", map_code},
        {"mprotect", make_code},
        {"tgkill of the parent", kill_parent},
        {"tgkill of process 1", signal_other},
        {"clone", make_process},
        {"ptrace", trace},
        {"prlimit64", change_limit},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        for (int thread = 0; thread < MACHINE_THREADS; thread++) {
            int status = run_jailed((enum machine_thread)thread, actions[i].action);

            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("%s in thread %d: wait status %#x", actions[i].name, thread, status);
        }
    }
}

/* No call opens, connects, removes, executes, or creates a process. */
static void lists_are_short(void **state)
{
    static const uint32_t none[] = {
        __NR_open,     __NR_openat,  __NR_socket, __NR_connect, __NR_bind,   __NR_unlink,
        __NR_unlinkat, __NR_execve,  __NR_clone,  __NR_clone3,  __NR_fcntl,  __NR_sendmsg,
        __NR_sendmmsg, __NR_recvmsg, __NR_kill,   __NR_prctl,   __NR_ptrace, __NR_mprotect,
    };

    (void)state;
    for (int thread = 0; thread < MACHINE_THREADS; thread++) {
        uint32_t calls[128];
        size_t count = monitor_thread_calls((enum machine_thread)thread, calls, 128);

        print_message("thread %d: %zu calls\n", thread, count);
        assert_in_range(count, 10, 35);
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < ARRAY_LENGTH(none); k++)
                assert_int_not_equal(calls[i], none[k]);
    }
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* The number after `key` in the status of a task of this process; -1 if there is none. */
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

/* Returns how many threads have no capabilities, and no way to gain any. */
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

static void later_threads_have_no_capabilities(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;

        pthread_mutex_lock(&gate);
        if (privileges_drop(NULL) < 0 || privileges_lock(NULL) < 0 ||
            pthread_create(&thread, NULL, wait_at_gate, NULL) != 0)
            leave(99);
        leave(count_powerless_threads());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

/* No core dump is written where one would be. */
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
        if (enter() < 0 || prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &limit) < 0 ||
            limit.rlim_max != 0)
            leave(99);
        syscall(__NR_kill, getpid(), SIGABRT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
    assert_int_equal(rmdir(directory), 0);
}

static void plans_survive_as_text(void **state)
{
    const struct jail_plan plan = {.namespaces = 0x7c020000, .user = 4000000000U, .required = true};
    struct jail_plan back = {0};
    char text[JAIL_PLAN_SIZE];

    (void)state;
    jail_plan_format(&plan, text);
    assert_int_equal(jail_plan_parse(text, &back, NULL), 0);
    assert_int_equal(back.namespaces, plan.namespaces);
    assert_true(back.user == plan.user && back.required);
    assert_int_equal(jail_plan_parse("", &back, NULL), -EINVAL);
    assert_int_equal(jail_plan_parse("1:2", &back, NULL), -EINVAL);
    assert_int_equal(jail_plan_parse("1:2:3:4", &back, NULL), -EINVAL);
}

/* A required step that fails is an error that names it; another one is noted. */
static void a_missing_step_is_reported(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct jail_plan plan = {.namespaces = 0, .required = true};
        struct jail_report report = {0};
        struct error err = ERROR_INIT;

        if (jail_enter(&plan, &report, &err) >= 0 || !strstr(err.text, "own namespaces"))
            leave(1);
        plan.required = false;
        if (jail_enter(&plan, &report, &err) < 0 || report.held[JAIL_NAMESPACES] ||
            !report.why[JAIL_NAMESPACES].text[0] || !report.held[JAIL_CAPABILITIES])
            leave(2);
        leave(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void trying_it_does_not_change_the_caller(void **state)
{
    struct jail_report report = {0};
    const uid_t before = geteuid();

    (void)state;
    assert_int_equal(jail_try(2000000001, &report, NULL), 0);
    assert_true(report.held[JAIL_CAPABILITIES]);
    assert_int_equal(geteuid(), before);
    assert_int_equal(access("/proc/self/status", R_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_monitor_does_works),
        cmocka_unit_test(other_calls_kill),
        cmocka_unit_test(lists_are_short),
        cmocka_unit_test(plans_survive_as_text),
        cmocka_unit_test(a_missing_step_is_reported),
        cmocka_unit_test(trying_it_does_not_change_the_caller),
        cmocka_unit_test(later_threads_have_no_capabilities),
        cmocka_unit_test(no_core_is_dumped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
