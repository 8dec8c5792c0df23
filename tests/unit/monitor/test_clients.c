/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of a monitor, where descriptors have run out. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/monitor/clients.h"

static struct event_loop *loop;
static struct clients clients;
static char directory[] = "/tmp/microvm-clients-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static unsigned gone;

static void last_gone(void *opaque)
{
    (void)opaque;
    gone++;
}

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void begin(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_non_null(mkdtemp(directory));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", directory);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(event_loop_create(&loop, NULL), 0);
    clients_init(&clients, loop, fd);
    clients.last_gone = last_gone;
    assert_int_equal(clients_open(&clients, NULL), 0);
}

static void end(void)
{
    clients_release(&clients);
    event_loop_watch(loop, clients.listener_fd, 0, NULL, NULL);
    event_loop_destroy(loop);
    close(clients.listener_fd);
    unlink(address.sun_path);
    assert_int_equal(rmdir(directory), 0);
}

/* The listener stays ready; a loop that looked at it all the time would do nothing else. */
static void a_client_for_whom_there_is_no_descriptor_waits(void **state)
{
    struct rlimit limit;
    struct rlimit none;
    int client;
    int next;

    (void)state;
    begin();
    client = dial();
    next = dup(client);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){(rlim_t)next, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(event_loop_turn(loop), 1); /* in vain */
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(event_loop_turn(loop), 0);
    assert_int_equal(clients.client_count, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    usleep(110000);
    event_loop_turn(loop); /* the pause is over */
    event_loop_turn(loop);
    assert_int_equal(clients.client_count, 1);
    close(client);
    event_loop_turn(loop);
    assert_int_equal(gone, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_for_whom_there_is_no_descriptor_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
