/* SPDX-License-Identifier: Apache-2.0 */
/* Standard streams are carried byte for byte, and their ends in both directions. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/io.h"
#include "vmm/sandbox/stream.h"

#define TOTAL (5U << 20) /* more than all buffers on the way hold */

static unsigned char expected(size_t at)
{
    return (unsigned char)(at * 31 + at / 251);
}

static void *write_pattern(void *argument)
{
    int fd = *(int *)argument;
    unsigned char chunk[777];

    for (size_t at = 0; at < TOTAL;) {
        size_t count = TOTAL - at < sizeof(chunk) ? TOTAL - at : sizeof(chunk);

        for (size_t i = 0; i < count; i++)
            chunk[i] = expected(at + i);
        if (io_write_all(fd, chunk, count) < 0)
            break;
        at += count;
    }
    close(fd);
    return NULL;
}

/* Guest to standard output: socket to pipe. */
static void all_bytes_then_the_end(void **state)
{
    unsigned char *got = malloc(TOTAL + 1);
    int done = eventfd(0, EFD_CLOEXEC);
    int guest[2];
    int output[2];
    uint64_t count;
    struct stream *stream;
    pthread_t writer;

    (void)state;
    assert_non_null(got);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, guest), 0);
    assert_int_equal(pipe(output), 0);
    assert_int_equal(stream_start(guest[0], output[1], done, &stream, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_pattern, &guest[1]), 0);
    assert_int_equal(io_read_full(output[0], got, TOTAL), TOTAL);
    for (size_t at = 0; at < TOTAL; at++)
        if (got[at] != expected(at))
            fail_msg("byte %zu differs", at);
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_true(stream_is_done(stream));
    assert_true(stream_first_byte_ns(stream) > 0);
    assert_true(stream_release(stream));
    pthread_join(writer, NULL);
    close(guest[0]);
    close(output[0]);
    close(output[1]);
    close(done);
    free(got);
}

/* Standard input to guest: the end of the file is a shutdown, the way back stays open. */
static void end_of_input_is_a_shutdown(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int guest[2];
    int input[2];
    char text[8];
    struct stream *stream;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, guest), 0);
    assert_int_equal(pipe(input), 0);
    assert_int_equal(stream_start(input[0], guest[0], done, &stream, NULL), 0);
    assert_int_equal(write(input[1], "last", 4), 4);
    close(input[1]);
    assert_int_equal(io_read_full(guest[1], text, sizeof(text)), 4);
    assert_memory_equal(text, "last", 4);
    assert_int_equal(write(guest[1], "back", 4), 4);
    assert_int_equal(read(guest[0], text, sizeof(text)), 4);
    while (!stream_is_done(stream))
        usleep(1000);
    assert_true(stream_release(stream));
    close(input[0]);
    close(guest[0]);
    close(guest[1]);
    close(done);
}

/* What the monitor traces ends on a terminal. */
static void untrusted_lines_are_made_harmless(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int lines[2];
    int output[2];
    char text[64] = "";
    struct stream *stream;

    (void)state;
    assert_int_equal(pipe(lines), 0);
    assert_int_equal(pipe(output), 0);
    assert_int_equal(stream_start_lines(lines[0], output[1], done, &stream, NULL), 0);
    assert_int_equal(write(lines[1], "a\033[2J\tb\n\xc2\x9b\r\0c\n", 14), 14);
    close(lines[1]);
    assert_int_equal(io_read_full(output[0], text, 14), 14);
    assert_string_equal(text, "a?[2J\tb\n????c\n");
    while (!stream_is_done(stream))
        usleep(1000);
    assert_true(stream_release(stream));
    close(lines[0]);
    close(output[0]);
    close(output[1]);
    close(done);
}

/* `microvm run IMAGE yes | head`: the guest's writer must learn that nobody reads. */
static void closed_output_reaches_the_guest(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int guest[2];
    int output[2];
    uint64_t count;
    struct stream *stream;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, guest), 0);
    assert_int_equal(pipe(output), 0);
    close(output[0]);
    assert_int_equal(stream_start(guest[0], output[1], done, &stream, NULL), 0);
    assert_int_equal(write(guest[1], "y\n", 2), 2);
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_int_equal(write(guest[1], "y\n", 2), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(stream_error(stream), 0);
    assert_true(stream_release(stream));
    close(output[1]);
    close(guest[0]);
    close(guest[1]);
    close(done);
}

static size_t read_in_order;

static void *read_late(void *argument)
{
    int fd = *(int *)argument;
    unsigned char *got = malloc(TOTAL);
    size_t used = 0;

    usleep(20000); /* until the pipe is full */
    while (got && used < TOTAL) {
        ssize_t count = read(fd, got + used, TOTAL - used);

        if (count == 0)
            break;
        if (count > 0)
            used += (size_t)count;
        else
            usleep(1000);
    }
    for (size_t at = 0; got && at < used; at++)
        if (got[at] != expected(at))
            used = 0;
    free(got);
    read_in_order = used;
    return NULL;
}

/* Another process has made the standard streams non-blocking: nothing is lost, nothing ends. */
static void streams_may_be_nonblocking(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int input[2];
    int output[2];
    uint64_t count;
    struct stream *stream;
    pthread_t writer;
    pthread_t reader;

    (void)state;
    assert_int_equal(pipe2(input, 0), 0);
    assert_int_equal(pipe2(output, 0), 0);
    assert_int_equal(fcntl(input[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(output[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(stream_start(input[0], output[1], done, &stream, NULL), 0);
    usleep(20000); /* until it has found nothing to read */
    assert_false(stream_is_done(stream));
    assert_int_equal(pthread_create(&reader, NULL, read_late, &output[0]), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_pattern, &input[1]), 0);
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_true(stream_release(stream));
    pthread_join(writer, NULL);
    close(output[1]);
    pthread_join(reader, NULL);
    assert_int_equal(read_in_order, TOTAL);
    close(input[0]);
    close(output[0]);
    close(done);
}

/* As under sshd, which gives a command one socket for standard input and output. */
static void standard_streams_are_not_shut_down(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int saved = dup(STDIN_FILENO);
    int shared[2];
    int guest[2];
    char text[8];
    uint64_t count;
    struct stream *stream;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, shared), 0);
    assert_int_equal(dup2(shared[0], STDIN_FILENO), STDIN_FILENO);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, guest), 0);
    assert_int_equal(stream_start(guest[0], STDIN_FILENO, done, &stream, NULL), 0);
    close(guest[1]); /* the guest's output ends */
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_true(stream_release(stream));
    close(guest[0]);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, guest), 0);
    assert_int_equal(stream_start(STDIN_FILENO, guest[0], done, &stream, NULL), 0);
    close(guest[1]); /* the guest reads no more */
    assert_int_equal(write(shared[1], "lost", 4), 4);
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_true(stream_release(stream));
    close(guest[0]);

    assert_int_equal(write(STDIN_FILENO, "later", 5), 5);
    assert_int_equal(read(shared[1], text, sizeof(text)), 5);
    assert_int_equal(write(shared[1], "back", 4), 4);
    assert_int_equal(read(STDIN_FILENO, text, sizeof(text)), 4);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
    close(shared[0]);
    close(shared[1]);
    close(done);
}

/* A full disk is not a reader that has left: it must not pass in silence. */
static void failed_output_is_told(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int guest[2];
    uint64_t count;
    struct stream *stream;

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, guest), 0);
    assert_int_equal(stream_start(guest[0], full, done, &stream, NULL), 0);
    assert_int_equal(stream_error(stream), 0);
    assert_int_equal(write(guest[1], "lost", 4), 4);
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_int_equal(stream_error(stream), ENOSPC);
    assert_true(stream_release(stream));
    close(full);
    close(guest[0]);
    close(guest[1]);
    close(done);
}

/* What cannot be read any further has not come to its end. */
static void failed_input_is_told(void **state)
{
    int done = eventfd(0, EFD_CLOEXEC);
    int directory = open("/", O_RDONLY | O_CLOEXEC);
    int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    uint64_t count;
    struct stream *stream;

    (void)state;
    assert_int_equal(stream_start(directory, sink, done, &stream, NULL), 0);
    assert_int_equal(read(done, &count, sizeof(count)), sizeof(count));
    assert_int_equal(stream_error(stream), EISDIR);
    assert_true(stream_release(stream));
    close(directory);
    close(sink);
    close(done);
}

static void no_stream_is_a_done_stream(void **state)
{
    (void)state;
    assert_true(stream_is_done(NULL));
    assert_true(stream_release(NULL));
    assert_int_equal(stream_first_byte_ns(NULL), 0);
    assert_int_equal(stream_error(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_then_the_end),
        cmocka_unit_test(end_of_input_is_a_shutdown),
        cmocka_unit_test(untrusted_lines_are_made_harmless),
        cmocka_unit_test(closed_output_reaches_the_guest),
        cmocka_unit_test(streams_may_be_nonblocking),
        cmocka_unit_test(standard_streams_are_not_shut_down),
        cmocka_unit_test(failed_output_is_told),
        cmocka_unit_test(failed_input_is_told),
        cmocka_unit_test(no_stream_is_a_done_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
