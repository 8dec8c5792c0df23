/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of guest init that can be tried outside of a guest: its configuration, its
 * frames, its relays. The sources are included, because init is built for another C library.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/init/conf.c"            // NOLINT(bugprone-suspicious-include)
#include "guest/init/failure.c"         // NOLINT(bugprone-suspicious-include)
#include "guest/init/host_connection.c" // NOLINT(bugprone-suspicious-include)
#include "guest/init/relay.c"           // NOLINT(bugprone-suspicious-include)
#include "tests/unit/unit.h"

static void configuration_is_read(void **state)
{
    char text[] = "terminal=1\nstdin=0\noverlay=disk\nhostname=box\n";
    struct failure failure;
    struct conf conf;

    (void)state;
    assert_int_equal(conf_parse(text, &conf, &failure), 0);
    assert_true(conf.terminal);
    assert_false(conf.standard_input);
    assert_true(conf.overlay_on_disk);
    assert_string_equal(conf.hostname, "box");
}

static void configuration_is_strict(void **state)
{
    static const char *const bad[] = {"terminal=yes",
                                      "terminal",
                                      "colour=red",
                                      "overlay=tape",
                                      "stdin=",
                                      "=1",
                                      "hostname="
                                      "0123456789012345678901234567890123456789"
                                      "0123456789012345678901234"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct failure failure = {0};
        struct conf conf;
        char text[128];

        strcpy(text, bad[i]);
        assert_int_equal(conf_parse(text, &conf, &failure), -1);
        assert_int_equal(failure.status, FAILURE_RUNNER);
        assert_non_null(strstr(failure.text, PROTOCOL_CONF_PATH));
    }
}

static void frames_arrive_in_pieces(void **state)
{
    static const unsigned char bytes[] = {PROTOCOL_SIGNAL, 0, 1, 0, 15, PROTOCOL_DRAINED, 0, 0, 0};
    struct control control = {0};
    struct control_frame frame;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    control.fd = pair[0];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(control_receive(&control, &frame), 0);
        assert_int_equal(write(pair[1], bytes + i, 1), 1);
    }
    assert_int_equal(control_receive(&control, &frame), 0);
    assert_int_equal(write(pair[1], bytes + 4, sizeof(bytes) - 4), sizeof(bytes) - 4);
    assert_int_equal(control_receive(&control, &frame), 1);
    assert_int_equal(frame.type, PROTOCOL_SIGNAL);
    assert_int_equal(frame.size, 1);
    assert_int_equal(frame.payload[0], 15);
    assert_int_equal(control_receive(&control, &frame), 1);
    assert_int_equal(frame.type, PROTOCOL_DRAINED);
    assert_int_equal(control_receive(&control, &frame), 0);
    close(pair[1]);
    assert_int_equal(control_receive(&control, &frame), -1);
    close(pair[0]);
}

static void too_long_a_frame_is_the_end(void **state)
{
    static const unsigned char bytes[] = {1, 0, 0xff, 0xff, 0, 0, 0, 0};
    struct control control = {0};
    struct control_frame frame;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    control.fd = pair[0];
    assert_int_equal(write(pair[1], bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(control_receive(&control, &frame), -1);
    close(pair[0]);
    close(pair[1]);
}

static void sent_frames_are_well_formed(void **state)
{
    static const unsigned char whole[] = {PROTOCOL_EXIT, 0, 1, 0, 42};
    struct control control = {0};
    unsigned char got[16];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    control.fd = pair[0];
    control_send(&control, PROTOCOL_EXIT, "\x2a", 1);
    assert_int_equal(read(pair[1], got, sizeof(got)), sizeof(whole));
    assert_memory_equal(got, whole, sizeof(whole));
    close(pair[1]);
    control_send(&control, PROTOCOL_EXIT, "\x2a", 1); /* nobody there: no signal, no hang */
    close(pair[0]);
}

static struct relay relay;

static void open_pipes(int from[2], int to[2])
{
    assert_int_equal(pipe2(from, O_NONBLOCK), 0);
    assert_int_equal(pipe2(to, O_NONBLOCK), 0);
    relay_open(&relay, from[0], to[1]);
}

/* A reader that does not read stops the relay from reading, at its one buffer. */
static void a_slow_reader_slows_the_writer(void **state)
{
    static char block[4096];
    size_t written = 0;
    size_t got = 0;
    int from[2];
    int to[2];

    (void)state;
    open_pipes(from, to);
    for (int i = 0; i < 1000; i++) {
        ssize_t count = write(from[1], block, sizeof(block));

        written += count > 0 ? (size_t)count : 0;
        relay_step(&relay);
    }
    assert_in_range(written, 2 * 65536, 2 * 65536 + RELAY_BUFFER_SIZE); /* pipe, buffer, pipe */
    assert_int_equal(relay_poll(&relay).fd, to[1]);
    assert_int_equal(relay_poll(&relay).events, POLLOUT);
    close(from[1]);
    for (int i = 0; i < 10000 && relay_is_open(&relay); i++) {
        ssize_t count = read(to[0], block, sizeof(block));

        got += count > 0 ? (size_t)count : 0;
        relay_step(&relay);
    }
    for (ssize_t count; (count = read(to[0], block, sizeof(block))) > 0;)
        got += (size_t)count;
    assert_int_equal(got, written);
    assert_false(relay_is_open(&relay));
    assert_int_equal(relay_poll(&relay).fd, -1);
    close(to[0]);
}

static void a_reader_that_left_closes_the_pipe(void **state)
{
    int from[2];
    int to[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    open_pipes(from, to);
    close(to[0]);
    assert_int_equal(write(from[1], "x", 1), 1);
    relay_step(&relay);
    assert_false(relay_is_open(&relay));
    assert_int_equal(write(from[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(from[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_is_read),
        cmocka_unit_test(configuration_is_strict),
        cmocka_unit_test(frames_arrive_in_pieces),
        cmocka_unit_test(too_long_a_frame_is_the_end),
        cmocka_unit_test(sent_frames_are_well_formed),
        cmocka_unit_test(a_slow_reader_slows_the_writer),
        cmocka_unit_test(a_reader_that_left_closes_the_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
