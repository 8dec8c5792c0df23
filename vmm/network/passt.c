/* SPDX-License-Identifier: Apache-2.0 */
/* The network of one VM through passt(1); see passt.h. */
#include "vmm/network/passt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/search_path.h"
#include "vmm/base/spawn.h"
#include "vmm/base/text.h"

#define PASST_FD     3 /* in passt */
#define GATEWAY_MAC  "02:00:cb:00:71:02"
#define MESSAGES_MAX 4096
#define MESSAGE_SIZE 256

/* Whether the host has a default route: without one, passt must be told which interface to use. */
static bool has_default_route(void)
{
    FILE *routes = fopen("/proc/net/route", "re");
    char interface[32];
    unsigned long destination;
    unsigned long mask;
    char line[256];
    bool found = false;

    while (routes && fgets(line, sizeof(line), routes))
        if (sscanf(line, "%31s %lx %*x %*x %*d %*d %*d %lx", interface, &destination, &mask) == 3)
            found = found || (destination == 0 && mask == 0);
    if (routes)
        fclose(routes);
    return found;
}

/* "0.0.0.0/8000-8009:80-89" */
static int add_ports(const struct published_ports *ports, bool udp, struct string_list *arguments)
{
    const char *option = udp ? "--udp-ports" : "--tcp-ports";
    unsigned count = 0;

    for (unsigned i = 0; i < ports->count; i++) {
        const struct published_port *port = &ports->items[i];

        if (port->udp != udp)
            continue;
        if (string_list_add(arguments, option) < 0 ||
            string_list_add_format(arguments, "%s/%u-%u:%u-%u", port->address, port->host,
                                   port->host + port->count - 1, port->guest,
                                   port->guest + port->count - 1) < 0)
            return -ENOMEM;
        count++;
    }
    if (count > 0)
        return 0;
    return string_list_add(arguments, option) < 0 ? -ENOMEM : string_list_add(arguments, "none");
}

static int make_arguments(const struct published_ports *ports, struct string_list *arguments)
{
    static const char *const fixed[] = {
        "passt",       "--foreground", "--quiet",       "--fd",         "3",
        "--ipv4-only", "--address",    PASST_ADDRESS,   "--netmask",    PASST_PREFIX,
        "--gateway",   PASST_GATEWAY,  "--dns-forward", PASST_RESOLVER, "--mtu",
        PASST_MTU,     "--no-map-gw",  "--no-dhcp",     "--mac-addr",   GATEWAY_MAC,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(fixed); i++)
        if (string_list_add(arguments, fixed[i]) < 0)
            return -ENOMEM;
    if (!has_default_route() &&
        (string_list_add(arguments, "--interface") < 0 || string_list_add(arguments, "lo") < 0))
        return -ENOMEM;
    return add_ports(ports, false, arguments) < 0 ? -ENOMEM : add_ports(ports, true, arguments);
}

static int spawn_passt(const char *program, const struct published_ports *ports, int fd,
                       int messages, pid_t *pid, struct error *err)
{
    AUTO_STRING_LIST struct string_list arguments = {0};
    const struct spawn_descriptor descriptors[] = {
        {STDIN_FILENO, SPAWN_NULL},
        {STDOUT_FILENO, SPAWN_NULL},
        {STDERR_FILENO, messages},
        {PASST_FD, fd},
    };
    struct spawn spawn = {
        .program = program,
        .descriptors = descriptors,
        .descriptor_count = ARRAY_LENGTH(descriptors),
        .session = true,
    };

    if (make_arguments(ports, &arguments) < 0)
        return error_set_errno(err, ENOMEM, "passt");
    spawn.arguments = (const char *const *)arguments.items;
    return spawn_start(&spawn, pid, err);
}

/* A file for what passt writes, of which only the first MESSAGES_MAX bytes are taken: a guest may
 * find a way to make it write a lot. Returns a descriptor or a negative errno. */
static int open_messages(void)
{
    AUTO_CLOSE int fd = memfd_create("passt", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, MESSAGES_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
        return -errno;
    return steal_fd(&fd);
}

int passt_start(const struct published_ports *ports, struct passt *passt, struct error *err)
{
    AUTO_FREE char *program = search_path_find("passt");
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int passts = -1;
    int pair[2];
    int rc;

    *passt = (struct passt)PASST_INIT;
    if (!program)
        return error_set(err, ENOENT,
                         "--network: passt not found in PATH; install it (package passt), or use "
                         "--network=none");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set_errno(err, errno, "--network: socketpair");
    ours = pair[0];
    passts = pair[1];
    if (fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return error_set_errno(err, errno, "--network: socketpair");
    passt->messages_fd = open_messages();
    if (passt->messages_fd < 0)
        return error_set_errno(err, -passt->messages_fd, "--network: messages of passt");
    rc = spawn_passt(program, ports, passts, passt->messages_fd, &passt->pid, err);
    if (rc < 0) {
        passt->pid = -1;
        return error_wrap(err, rc, "--network");
    }
    passt->guest_fd = steal_fd(&ours);
    return 0;
}

/* The last line that passt has written, made safe to show. */
static void read_last_message(int fd, char line[MESSAGE_SIZE])
{
    char text[MESSAGES_MAX + 1];
    ssize_t size = pread(fd, text, MESSAGES_MAX, 0);
    const char *last;
    char *newline;

    text[size > 0 ? size : 0] = '\0';
    while ((newline = strrchr(text, '\n')) && newline[1] == '\0')
        *newline = '\0';
    last = newline ? newline + 1 : text;
    text_copy(line, MESSAGE_SIZE, last);
}

/* One that ended by itself has left the guest without a network. */
static void report_end(const struct passt *passt, int status)
{
    char line[MESSAGE_SIZE];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    read_last_message(passt->messages_fd, line);
    log_warning("--network: passt ended early (%s %d): %s",
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                line[0] ? line : "it wrote no message");
}

void passt_stop(struct passt *passt)
{
    int status = 0;

    cleanup_close(&passt->guest_fd);
    if (passt->pid > 0 && waitpid(passt->pid, &status, WNOHANG) == passt->pid) {
        report_end(passt, status);
    } else if (passt->pid > 0) {
        kill(passt->pid, SIGTERM);
        (void)spawn_wait(passt->pid, &status);
    }
    cleanup_close(&passt->messages_fd);
    *passt = (struct passt)PASST_INIT;
}
