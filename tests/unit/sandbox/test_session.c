/* SPDX-License-Identifier: Apache-2.0 */
/* A client's session with a guest and a monitor that do not do their part: it ends all the
 * same. This test is both of them; the monitor's process is a child that waits to be killed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/io.h"
#include "vmm/sandbox/session.h"

static const struct guest_request request = {.size = 0};
static struct session session;
static int guest, output; /* the guest's ends */
static struct timeline timeline;
static struct error problem;
static int monitor_fd;
static pthread_t thread;
static int run_result;

static void *run(void *unused)
{
    (void)unused;
    run_result = session_run(&session, &problem);
    return NULL;
}

static int set_up(void **state)
{
    int pair[2];

    (void)state;
    session = (struct session){.timeline = &timeline, .request = &request};
    if (session_prepare(&session, &problem) < 0 || session_connect(&session, &problem) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    session.monitor.link =
        (struct monitor_link){.pid = fork(), .pid_fd = -1, .control_fd = pair[0]};
    if (session.monitor.link.pid == 0) {
        for (;;)
            pause();
    }
    monitor_fd = pair[1];
    guest = dup(session.guest_ends[SESSION_PORT_CONTROL]);
    output = dup(session.guest_ends[SESSION_PORT_STDOUT]);
    return session.monitor.link.pid < 0 ? -1 : pthread_create(&thread, NULL, run, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    kill(session.monitor.link.pid, SIGKILL);
    waitpid(session.monitor.link.pid, NULL, 0); /* it has ends of the streams, too */
    close(session.monitor.link.control_fd);
    if (monitor_fd >= 0)
        close(monitor_fd);
    close(guest);
    (void)shutdown(output, SHUT_RDWR);
    close(output);
    for (unsigned i = SESSION_STDOUT; i < SESSION_STREAMS; i++)
        while (!stream_is_done(session.streams[i]))
            usleep(1000); /* one that is at work keeps its memory */
    session_release(&session);
    return 0;
}

/* Sends a signal and waits until the session has taken it. */
static void send_signal(int number)
{
    sigset_t pending;

    kill(getpid(), number);
    do {
        usleep(1000);
        sigpending(&pending);
    } while (sigismember(&pending, number));
}

static void expect_stop(void)
{
    struct control_command command = {0};

    assert_int_equal(control_receive_command(monitor_fd, &command, NULL), 1);
    assert_int_equal(command.type, CONTROL_COMMAND_STOP);
}

static int wait_for_result(int *status)
{
    pthread_join(thread, NULL);
    assert_int_equal(run_result, 0);
    return session_result(&session, 0, status, &problem);
}

static void a_monitor_that_does_not_stop_is_left(void **state)
{
    int status = -1;

    (void)state;
    send_signal(SIGTERM); /* kept for the container */
    send_signal(SIGTERM);
    expect_stop();
    send_signal(SIGTERM);
    assert_int_equal(wait_for_result(&status), 0);
    assert_int_equal(status, 128 + SIGTERM);
}

static void a_guest_that_only_says_that_it_ends_is_stopped(void **state)
{
    static const unsigned char messages[] = {
        PROTOCOL_HELLO,
        0,
        0,
        0,
        12,
        0,
        0,
        0,
        'M',
        'i',
        'V',
        'M',
        PROTOCOL_VERSION,
        0,
        0,
        0,
        0,
        0,
        0,
        0, /* no features */
        PROTOCOL_STARTED,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        PROTOCOL_EXITED,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        3,
    };
    unsigned char got[1];
    int status = -1;

    (void)state;
    assert_int_equal(io_write_all(guest, messages, sizeof(messages)), 0);
    usleep(50000); /* until it has read them */
    send_signal(SIGINT);
    assert_int_equal(recv(guest, got, sizeof(got), MSG_DONTWAIT), -1); /* there is nobody for it */
    send_signal(SIGINT);
    expect_stop();
    send_signal(SIGINT);
    assert_int_equal(wait_for_result(&status), 0);
    assert_int_equal(status, 3);
}

/* Its init could not even connect the streams: nobody waits for their end. */
static void a_guest_that_fails_without_streams_is_drained(void **state)
{
    static const unsigned char messages[] = {
        PROTOCOL_HELLO,   0, 0, 0, 12, 0, 0, 0, 'M', 'i', 'V', 'M',
        PROTOCOL_VERSION, 0, 0, 0, 0,  0, 0, 0, /* no features */
        PROTOCOL_FAILED,  0, 0, 0, 4,  0, 0, 0, 125, 'b', 'a', 'd',
    };
    static const unsigned char drained[] = {PROTOCOL_DRAINED, 0, 0, 0, 0, 0, 0, 0};
    unsigned char got[sizeof(drained)];
    int flags = fcntl(guest, F_GETFL);
    int status = -1;

    (void)state;
    assert_int_equal(io_write_all(guest, messages, sizeof(messages)), 0);
    assert_int_equal(fcntl(guest, F_SETFL, flags & ~O_NONBLOCK), 0);
    assert_int_equal(io_read_full(guest, got, sizeof(got)), sizeof(got));
    assert_memory_equal(got, drained, sizeof(got));
    kill(session.monitor.link.pid, SIGKILL); /* it has that end, too */
    close(monitor_fd);
    monitor_fd = -1;
    assert_int_equal(wait_for_result(&status), -EIO);
    assert_string_equal(problem.text, "bad");
}

static const unsigned char hello_and_started[] = {
    PROTOCOL_HELLO,   0, 0, 0, 12, 0, 0, 0, 'M', 'i', 'V', 'M',
    PROTOCOL_VERSION, 0, 0, 0, 0,  0, 0, 0, /* no features */
    PROTOCOL_STARTED, 0, 0, 0, 0,  0, 0, 0,
};

/* The second SIGTERM that reaches nobody stops the VM. */
static void expect_stop_by_second_signal(void)
{
    int status = -1;

    send_signal(SIGTERM);
    send_signal(SIGTERM);
    expect_stop();
    send_signal(SIGTERM);
    assert_int_equal(wait_for_result(&status), 0);
    assert_int_equal(status, 128 + SIGTERM);
}

static void a_guest_that_closes_the_control_connection_is_stopped(void **state)
{
    (void)state;
    assert_int_equal(io_write_all(guest, hello_and_started, sizeof(hello_and_started)), 0);
    (void)shutdown(guest, SHUT_RDWR);
    usleep(50000); /* until it has read them */
    expect_stop_by_second_signal();
}

static void a_guest_that_reads_nothing_is_stopped(void **state)
{
    (void)state;
    assert_int_equal(io_write_all(guest, hello_and_started, sizeof(hello_and_started)), 0);
    usleep(50000);
    while (send(session.connections[SESSION_PORT_CONTROL], "", 1, MSG_DONTWAIT) == 1)
        ;
    expect_stop_by_second_signal();
}

/* However many signals have come before. */
static void signals_of_any_number_leave_room_for_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        send_signal(SIGUSR1);
    expect_stop_by_second_signal();
}

/* The guest would wait for it. */
static void a_request_that_cannot_be_sent_is_an_error(void **state)
{
    static unsigned char data[1];
    const struct guest_request unsent = {.data = data, .size = sizeof(data)};
    struct session other = {.request = &unsent, .connections = {open("/dev/null", O_WRONLY)}};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(session_send_request(&other, &err), -ENOTSOCK);
    close(other.connections[SESSION_PORT_CONTROL]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_monitor_that_does_not_stop_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guest_that_only_says_that_it_ends_is_stopped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_guest_that_fails_without_streams_is_drained, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_guest_that_closes_the_control_connection_is_stopped,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guest_that_reads_nothing_is_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signals_of_any_number_leave_room_for_the_end, set_up,
                                        tear_down),
        cmocka_unit_test(a_request_that_cannot_be_sent_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
