/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of guest init that can be tried outside of a guest: its options, its messages, the
 * bundle's files, its relays. The sources are included, because init is built for another C
 * library.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/init/bundle_files.c"    // NOLINT(bugprone-suspicious-include)
#include "guest/init/failure.c"         // NOLINT(bugprone-suspicious-include)
#include "guest/init/host_connection.c" // NOLINT(bugprone-suspicious-include)
#include "guest/init/options.c"         // NOLINT(bugprone-suspicious-include)
#include "guest/init/relay.c"           // NOLINT(bugprone-suspicious-include)
#include "tests/unit/unit.h"

static void settings_are_read(void **state)
{
    static const char machine_text[] = "overlay=disk\ncolour=red\nhostname=box\n";
    static const char process_text[] = "terminal=1\nstdin=0\nlater=x\nruntime=/bin/r\n"
                                       "runtime_option=--root=/a=b\nruntime_option=--x\n"
                                       "runtime_signals=1\n";
    struct machine_options machine;
    struct process_options process;
    struct failure failure;

    (void)state;
    assert_int_equal(
        machine_options_parse(machine_text, sizeof(machine_text) - 1, &machine, &failure), 0);
    assert_true(machine.overlay_on_disk);
    assert_string_equal(machine.hostname, "box");
    assert_int_equal(
        process_options_parse(process_text, sizeof(process_text) - 1, &process, &failure), 0);
    assert_true(process.terminal);
    assert_false(process.standard_input);
    assert_false(process.trace);
    assert_true(process.runtime_signals);
    assert_string_equal(process.runtime, "/bin/r");
    assert_string_equal(process.runtime_options[0], "--root=/a=b");
    assert_string_equal(process.runtime_options[1], "--x");
    assert_null(process.runtime_options[2]);
    assert_int_equal(process_options_parse("", 0, &process, &failure), 0);
    assert_false(process.terminal);
    assert_null(process.runtime_options[0]);
    assert_string_equal(process.runtime, PROTOCOL_RUNTIME);
}

static void network_settings_are_read(void **state)
{
    static const char text[] = "address=203.0.113.15/24\ngateway=203.0.113.2\nmtu=1500\n";
    static const char *const bad[] = {"address=203.0.113/24", "address=203.0.113.15/33",
                                      "address=203.0.113.15/-1", "address=203.0.113.150000000000/8",
                                      "gateway=here"};
    struct machine_options options;
    struct failure failure;

    (void)state;
    assert_int_equal(machine_options_parse(text, sizeof(text) - 1, &options, &failure), 0);
    assert_int_equal(ntohl(options.address), 0xcb00710f);
    assert_int_equal(ntohl(options.gateway), 0xcb007102);
    assert_int_equal(options.prefix, 24);
    assert_int_equal(options.mtu, 1500);
    assert_int_equal(machine_options_parse("", 0, &options, &failure), 0);
    assert_int_equal(options.address, 0); /* no network */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(machine_options_parse(bad[i], strlen(bad[i]), &options, &failure), -1);
}

static void bad_values_are_refused(void **state)
{
    static const char *const machine[] = {"overlay=tape", "overlay",
                                          "hostname="
                                          "0123456789012345678901234567890123456789"
                                          "0123456789012345678901234"};
    static const char *const process[] = {"terminal=yes", "terminal", "stdin=", "trace=11"};
    static const char too_long[PROTOCOL_SETTINGS_MAX + 1];
    struct machine_options machine_options;
    struct process_options process_options;

    (void)state;
    for (size_t i = 0; i < sizeof(machine) / sizeof(machine[0]); i++) {
        struct failure failure = {0};

        assert_int_equal(
            machine_options_parse(machine[i], strlen(machine[i]), &machine_options, &failure), -1);
        assert_int_equal(failure.status, FAILURE_RUNNER);
        assert_non_null(strstr(failure.text, "settings"));
    }
    for (size_t i = 0; i < sizeof(process) / sizeof(process[0]); i++) {
        struct failure failure = {0};

        assert_int_equal(
            process_options_parse(process[i], strlen(process[i]), &process_options, &failure), -1);
        assert_non_null(strstr(failure.text, "settings"));
    }
    assert_int_equal(
        process_options_parse(too_long, sizeof(too_long), &process_options, &(struct failure){0}),
        -1);
}

static void open_control(struct control *control, int *other)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    memset(control, 0, sizeof(*control));
    control->fd = pair[0];
    *other = pair[1];
}

#define HELLO(version)                                                                             \
    PROTOCOL_HELLO, 0, 0, 0, 12, 0, 0, 0, 'M', 'i', 'V', 'M', (version), 0, 0, 0, 0, 0, 0, 0

static void messages_arrive_in_pieces(void **state)
{
    static const unsigned char bytes[] = {
        HELLO(PROTOCOL_VERSION),
        PROTOCOL_SIGNAL,
        0,
        2,
        0,
        1,
        0,
        0,
        0,
        15,
        PROTOCOL_DRAINED,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    };
    static struct control control;
    struct message message;
    int other;

    (void)state;
    open_control(&control, &other);
    for (size_t i = 0; i < 28; i++) {
        assert_int_equal(control_receive(&control, &message), CONTROL_NOTHING);
        assert_int_equal(write(other, bytes + i, 1), 1);
    }
    assert_int_equal(control_receive(&control, &message), CONTROL_NOTHING);
    assert_int_equal(write(other, bytes + 28, sizeof(bytes) - 28), sizeof(bytes) - 28);
    assert_int_equal(control_receive(&control, &message), CONTROL_MESSAGE);
    assert_int_equal(message.type, PROTOCOL_SIGNAL);
    assert_int_equal(message.process, 2);
    assert_int_equal(message.size, 1);
    assert_int_equal(message.payload[0], 15);
    assert_int_equal(control_wait(&control, &message), CONTROL_MESSAGE);
    assert_int_equal(message.type, PROTOCOL_DRAINED);
    assert_int_equal(control_receive(&control, &message), CONTROL_NOTHING);
    close(other);
    assert_int_equal(control_wait(&control, &message), CONTROL_GONE);
    close(control.fd);
}

static void another_version_is_foreign(void **state)
{
    static const unsigned char cases[][20] = {
        {HELLO(PROTOCOL_VERSION + 1)},
        {HELLO(1)},
        {PROTOCOL_RUN, 0, 0, 0, 12, 0, 0, 0}, /* no HELLO first */
        {PROTOCOL_HELLO, 0, 0, 0, 11, 0, 0, 0, 'M', 'i', 'V', 'M', PROTOCOL_VERSION},
        {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
    };
    static struct control control;
    struct message message;
    int other;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        open_control(&control, &other);
        assert_int_equal(write(other, cases[i], sizeof(cases[i])), sizeof(cases[i]));
        assert_int_equal(control_receive(&control, &message), CONTROL_FOREIGN);
        close(control.fd);
        close(other);
    }
}

static void too_long_a_message_is_the_end(void **state)
{
    static const unsigned char bytes[] = {
        HELLO(PROTOCOL_VERSION), PROTOCOL_DATA, 0, 0, 0, 1, 0, 1, 0,
    };
    static struct control control;
    struct message message;
    int other;

    (void)state;
    open_control(&control, &other);
    assert_int_equal(write(other, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(control_receive(&control, &message), CONTROL_GONE);
    close(control.fd);
    close(other);
}

static void sent_messages_are_well_formed(void **state)
{
    static const unsigned char whole[] = {
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
        PROTOCOL_FEATURE_SYSCALLS,
        0,
        0,
        0,
        PROTOCOL_EXITED,
        0,
        7,
        0,
        1,
        0,
        0,
        0,
        42,
    };
    static struct control control;
    unsigned char got[64];
    int other;

    (void)state;
    open_control(&control, &other);
    control_send(&control, PROTOCOL_EXITED, 7, "\x2a", 1);
    assert_int_equal(read(other, got, sizeof(got)), sizeof(whole));
    assert_memory_equal(got, whole, sizeof(whole));
    control_send(&control, PROTOCOL_STARTED, 0, NULL, 0); /* HELLO goes once */
    assert_int_equal(read(other, got, sizeof(got)), sizeof(struct protocol_header));
    close(other);
    control_send(&control, PROTOCOL_EXITED, 0, "\x2a", 1); /* nobody there: no signal, no hang */
    close(control.fd);
}

static int take_file(struct bundle_files *files, const void *payload, size_t size,
                     struct failure *failure)
{
    const struct message message = {.type = PROTOCOL_FILE, .size = size, .payload = payload};

    return bundle_files_begin(files, &message, failure);
}

static void files_are_written(void **state)
{
    static const char first[] = "\xed\1\0\0program\0some";
    char directory[] = "/tmp/test-guest-init-XXXXXX";
    char path[128];
    const struct message more = {.size = 5, .payload = (const unsigned char *)" more"};
    struct bundle_files files = {.directory = directory, .fd = -1};
    struct failure failure = {0};
    struct stat status;
    char text[16] = "";
    mode_t mask = umask(077);
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/bundle", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(bundle_files_append(&files, &more, &failure), -1);
    assert_int_equal(take_file(&files, first, sizeof(first) - 1, &failure), 0);
    assert_int_equal(bundle_files_append(&files, &more, &failure), 0);
    assert_int_equal(take_file(&files, first, sizeof(first) - 1, &failure), -1); /* is there */
    bundle_files_end(&files);
    snprintf(path, sizeof(path), "%s/bundle/program", directory);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 9);
    assert_string_equal(text, "some more");
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755); /* whatever the umask is */
    close(fd);
    assert_int_equal(unlink(path), 0);
    umask(mask);
    snprintf(path, sizeof(path), "%s/bundle", directory);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void bad_names_are_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/etc/passwd", ".hidden"};
    struct bundle_files files = {.directory = "/nonexistent", .fd = -1};
    char payload[64] = "\0\0\0\0";

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct failure failure = {0};

        strcpy(payload + 4, names[i]);
        assert_int_equal(take_file(&files, payload, 4 + strlen(names[i]) + 1, &failure), -1);
        assert_non_null(strstr(failure.text, "not the name of a file"));
    }
    memset(payload + 4, 'x', 8);
    for (size_t size = 0; size < 12; size++) { /* no NUL */
        struct failure failure = {0};

        assert_int_equal(take_file(&files, payload, size, &failure), -1);
        assert_non_null(strstr(failure.text, "without a name"));
    }
    assert_int_equal(files.fd, -1);
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
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(network_settings_are_read),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(messages_arrive_in_pieces),
        cmocka_unit_test(another_version_is_foreign),
        cmocka_unit_test(too_long_a_message_is_the_end),
        cmocka_unit_test(sent_messages_are_well_formed),
        cmocka_unit_test(files_are_written),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(a_slow_reader_slows_the_writer),
        cmocka_unit_test(a_reader_that_left_closes_the_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
