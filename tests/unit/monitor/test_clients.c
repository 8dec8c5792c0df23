/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of a monitor: unknown commands, and what happens when descriptors run out. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/monitor/clients.h"

static struct event_loop *loop;
static struct clients clients;
static char directory[32];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static unsigned gone;

static void on_last_disconnect(void *opaque)
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

    strcpy(directory, "/tmp/microvm-clients-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", directory);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(event_loop_create(&loop, NULL), 0);
    clients_init(&clients, loop, fd);
    clients.on_last_disconnect = on_last_disconnect;
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

/* The listener stays ready; without a pause the loop would be busy. */
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

static unsigned commands[CONTROL_COMMAND_UNKNOWN + 1]; /* by type */

static void count_command(void *opaque, const struct control_command *command)
{
    (void)opaque;
    commands[command->type]++;
}

/* A newer client stays connected with a command that is unknown here, not with a malformed one. */
static void an_unknown_command_does_not_end_a_connection(void **state)
{
    static const char unknown[] = "{\"version\":1,\"command\":\"dance\"}";
    static const char malformed[] = "{\"version\":1,\"command\":\"window\"}";
    int client;

    (void)state;
    begin();
    clients.handle_command = count_command;
    client = dial();
    event_loop_turn(loop);
    assert_int_equal(clients.client_count, 1);
    assert_int_equal(send(client, unknown, strlen(unknown), 0), strlen(unknown));
    event_loop_turn(loop);
    assert_int_equal(commands[CONTROL_COMMAND_UNKNOWN], 1);
    assert_int_equal(commands[CONTROL_COMMAND_STOP] + commands[CONTROL_COMMAND_WINDOW], 0);
    assert_int_equal(clients.client_count, 1);
    assert_int_equal(send(client, malformed, strlen(malformed), 0), strlen(malformed));
    event_loop_turn(loop);
    assert_int_equal(commands[CONTROL_COMMAND_WINDOW], 0);
    assert_int_equal(clients.client_count, 0);
    close(client);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_for_whom_there_is_no_descriptor_waits),
        cmocka_unit_test(an_unknown_command_does_not_end_a_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
