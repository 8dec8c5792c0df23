/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer of guest init on real processes: what it counts, that signals, stops and ends
 * stay what they are, and that the host understands what it tells. Its sources are included,
 * because init is built for another C library. The program that is traced is this one, called as
 * "traced".
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/init/failure.c"         // NOLINT(bugprone-suspicious-include)
#include "guest/init/host_connection.c" // NOLINT(bugprone-suspicious-include)
#include "guest/init/syscall_trace.c"   // NOLINT(bugprone-suspicious-include)
#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/sandbox/guest_messages.h"

#define CALLS       7 /* of the process, and as many of its child */
#define ERRORS      3
#define UNKNOWN     100000 /* no system call */
#define STATUS_GOOD 42

/* ---- what is traced ---------------------------------------------------------------------------
 */

static volatile sig_atomic_t handled;

static void handle(int number)
{
    handled = number;
}

static int child(void)
{
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    raise(SIGSTOP);
    return handled == 0 ? 5 : 6;
}

/* Exit status STATUS_GOOD when everything was as without a tracer. */
static int traced(void)
{
    const struct sigaction action = {.sa_handler = handle};
    int status;
    pid_t pid;

    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    for (int i = 0; i < ERRORS; i++)
        syscall(SYS_acct, "/nowhere/at/all");
    syscall(UNKNOWN);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    if (handled != SIGUSR1)
        return 1;
    handled = 0;
    pid = fork();
    if (pid == 0)
        _exit(child());
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status) ||
        WSTOPSIG(status) != SIGSTOP)
        return 2;
    kill(pid, SIGCONT);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 5)
        return 3;
    return STATUS_GOOD;
}

/* ---- the tracer -------------------------------------------------------------------------------
 */

static struct trace trace;

/* Starts this program as `name`, traced, runs it to its end, and returns its wait status. */
static int run_traced(const char *name)
{
    struct failure failure = {0};
    char byte = 0;
    int gate[2];
    int status;
    pid_t first;
    pid_t pid;

    memset(&trace, 0, sizeof(trace));
    assert_int_equal(pipe(gate), 0);
    first = fork();
    if (first == 0) {
        syscall(SYS_getppid); /* before the command: not counted */
        if (read(gate[0], &byte, 1) == 1)
            execl("/proc/self/exe", name, name, NULL);
        _exit(99);
    }
    if (trace_begin(&trace, first, &failure) < 0)
        fail_msg("%s", failure.text);
    assert_int_equal(write(gate[1], &byte, 1), 1);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFSTOPPED(status)) {
            trace_take_stop(&trace, pid, status);
            continue;
        }
        trace_forget(&trace, pid);
        if (pid == first)
            break;
    }
    assert_int_equal(pid, first);
    close(gate[0]);
    close(gate[1]);
    munmap(trace.pending, PROCESSES_MAX * sizeof(*trace.pending));
    return status;
}

static void calls_are_counted_and_nothing_changes(void **state)
{
    int status;

    (void)state;
    status = run_traced("traced");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), STATUS_GOOD);
    assert_int_equal(trace.rows[SYS_getppid].calls, 2 * CALLS);
    assert_int_equal(trace.rows[SYS_getppid].errors, 0);
    assert_int_equal(trace.rows[SYS_acct].calls, ERRORS);
    assert_int_equal(trace.rows[SYS_acct].errors, ERRORS);
    assert_int_equal(trace.rows[SYS_execve].calls, 1);
    assert_int_equal(trace.rows[SYS_exit_group].calls, 2);
    assert_int_equal(trace.rows[SYS_exit_group].ns, 0);
    assert_int_equal(trace.rows[PROTOCOL_SYSCALL_NUMBERS].calls, 1);
    assert_int_equal(trace.rows[PROTOCOL_SYSCALL_NUMBERS].errors, 1);
}

static void death_by_a_signal_stays_one(void **state)
{
    int status;

    (void)state;
    status = run_traced("killed");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void the_host_reads_what_is_sent(void **state)
{
    static struct control control;
    struct syscall_table table = {0};
    struct guest_message_reader reader = {0};
    struct guest_message message;
    unsigned char bytes[8192];
    const unsigned char *data = bytes;
    unsigned messages = 0;
    uint64_t calls = 0;
    size_t size;
    int ends[2];
    int rc;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    memset(&trace, 0, sizeof(trace));
    for (unsigned i = 0; i <= PROTOCOL_SYSCALL_NUMBERS; i += 8)
        trace.rows[i] = (struct trace_row){i + 1, i, i * 1000ULL};
    control.fd = ends[0];
    trace_send(&trace, &control, PROTOCOL_CONTAINER);
    size = (size_t)read(ends[1], bytes, sizeof(bytes));
    while ((rc = guest_message_read(&reader, &data, &size, &message, NULL)) == 1) {
        if (message.type == PROTOCOL_HELLO)
            continue;
        assert_int_equal(message.type, PROTOCOL_SYSCALLS);
        for (unsigned i = 0; i < message.call_count; i++)
            assert_int_equal(syscall_table_add(&table, &message.calls[i], NULL), 0);
        messages++;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(messages, 2); /* 65 rows, 36 in a message */
    assert_int_equal(table.count, PROTOCOL_SYSCALL_NUMBERS / 8 + 1);
    for (unsigned i = 0; i < table.count; i++) {
        const struct syscall_row *row = &table.rows[i];
        unsigned number =
            row->number == PROTOCOL_SYSCALL_OTHER ? PROTOCOL_SYSCALL_NUMBERS : row->number;

        assert_int_equal(row->calls, number + 1);
        assert_int_equal(row->errors, number);
        assert_int_equal(row->ns, number * 1000ULL);
        calls += row->calls;
    }
    assert_true(calls > 0);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_and_nothing_changes),
        cmocka_unit_test(death_by_a_signal_stays_one),
        cmocka_unit_test(the_host_reads_what_is_sent),
    };

    if (argc == 2 && strcmp(argv[1], "traced") == 0)
        _exit(traced());
    if (argc == 2 && strcmp(argv[1], "killed") == 0)
        kill(getpid(), SIGTERM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
