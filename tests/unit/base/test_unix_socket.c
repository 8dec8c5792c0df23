/* SPDX-License-Identifier: Apache-2.0 */
/* UNIX sockets: too long paths are errors, descriptors arrive, and none is left over. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/unix_socket.h"

static int lowest_free(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

static void sockets_have_paths(void **state)
{
    char directory[] = "/tmp/test-unix.XXXXXX";
    AUTO_CLOSE int listener = -1;
    AUTO_CLOSE int client = -1;
    AUTO_CLOSE int served = -1;
    struct error err = ERROR_INIT;
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    assert_int_equal(unix_socket_connect(path, SOCK_SEQPACKET, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));
    listener = unix_socket_listen(path, SOCK_SEQPACKET | SOCK_NONBLOCK, 1, &err);
    assert_true(listener >= 0);
    assert_int_equal(unix_socket_listen(path, SOCK_SEQPACKET, 1, &err), -EADDRINUSE);
    assert_int_equal(unix_socket_accept(listener, 0), -EAGAIN);
    client = unix_socket_connect(path, SOCK_SEQPACKET, &err);
    assert_true(client >= 0);
    served = unix_socket_accept(listener, SOCK_NONBLOCK);
    assert_true(served >= 0);
    assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(served, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(served, F_GETFL) & O_NONBLOCK);
    unlink(path);
    rmdir(directory);
}

static void long_paths_are_reported(void **state)
{
    char path[UNIX_SOCKET_PATH_SIZE + 1];
    struct error err = ERROR_INIT;
    int before = lowest_free();

    (void)state;
    memset(path, 'x', sizeof(path));
    memcpy(path, "/nonexistent/", 13);
    path[UNIX_SOCKET_PATH_SIZE] = '\0';
    assert_int_equal(unix_socket_listen(path, SOCK_STREAM, 1, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "at most 107 characters, and this one 108"));
    assert_int_equal(unix_socket_connect(path, SOCK_STREAM, NULL), -ENAMETOOLONG);
    path[UNIX_SOCKET_PATH_SIZE - 1] = '\0';
    assert_int_equal(unix_socket_listen(path, SOCK_STREAM, 1, &err), -ENOENT);
    assert_int_equal(lowest_free(), before);
}

static void descriptors_are_passed(void **state)
{
    int sent[UNIX_SOCKET_FDS_MAX + 1];
    int came[UNIX_SOCKET_FDS_MAX];
    size_t count;
    char byte = 0;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(sent); i++)
        sent[i] = ends[i % 2];
    for (size_t wanted = 0; wanted <= UNIX_SOCKET_FDS_MAX; wanted += 4) {
        assert_int_equal(unix_socket_send(ends[0], "x", 1, sent, wanted, 0), 1);
        count = UNIX_SOCKET_FDS_MAX;
        assert_int_equal(unix_socket_receive(ends[1], &byte, 1, came, &count, 0), 1);
        assert_int_equal(byte, 'x');
        assert_int_equal(count, wanted);
        for (size_t i = 0; i < count; i++) {
            assert_true(fcntl(came[i], F_GETFD) & FD_CLOEXEC);
            close(came[i]);
        }
    }
    assert_int_equal(unix_socket_send(ends[0], "x", 1, sent, UNIX_SOCKET_FDS_MAX + 1, 0), -E2BIG);
    assert_int_equal(unix_socket_send(ends[0], NULL, 0, sent, 1, 0), -EINVAL);
    close(ends[0]);
    count = 1;
    assert_int_equal(unix_socket_receive(ends[1], &byte, 1, came, &count, 0), 0);
    assert_int_equal(count, 0);
    assert_int_equal(unix_socket_send(ends[1], "x", 1, NULL, 0, 0), -EPIPE); /* and no SIGPIPE */
    close(ends[1]);
}

/* A peer that sends more descriptors than wanted cannot fill the table of descriptors. */
static void unwanted_descriptors_are_closed(void **state)
{
    int sent[3] = {0, 0, 0};
    int came[1] = {-1};
    size_t count;
    char byte;
    int ends[2];
    int before;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    before = lowest_free();
    for (size_t room = 0; room < 2; room++) {
        assert_int_equal(unix_socket_send(ends[0], "x", 1, sent, 3, 0), 1);
        count = room;
        assert_int_equal(unix_socket_receive(ends[1], &byte, 1, came, &count, 0), -EPROTO);
        assert_int_equal(count, 0);
        assert_int_equal(lowest_free(), before);
    }
    count = 0;
    assert_int_equal(unix_socket_receive(ends[1], &byte, 1, NULL, &count, MSG_DONTWAIT), -EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_have_paths),
        cmocka_unit_test(long_paths_are_reported),
        cmocka_unit_test(descriptors_are_passed),
        cmocka_unit_test(unwanted_descriptors_are_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
