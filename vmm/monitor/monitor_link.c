/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: start the monitor of an instance, and end it.
 *
 * The monitor is this program again, from /proc/self/exe, so both are always of one version. It
 * gets exactly the descriptors of enum monitor_fd beside 0-2; posix_spawn() shares the caller's
 * memory until the exec, so starting it costs the same however large the caller is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/monitor/monitor_link.h"

#define FD_ABOVE 16 /* copies go above all that enum monitor_fd names */
#define NS_OF_MS UINT64_C(1000000)

static int write_spec(const struct monitor_launch *launch, struct error *err)
{
    AUTO_FREE char *json = NULL;
    AUTO_CLOSE int fd = -1;
    int rc = machine_spec_to_json(launch->spec, &json, err);

    if (rc < 0)
        return rc;
    fd = openat(launch->directory_fd, "machine.json",
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    rc = fd < 0 ? -errno : io_write_all(fd, json, strlen(json));
    if (rc < 0)
        return error_set_errno(err, -rc, "%s/machine.json", launch->directory);
    return 0;
}

static int connect_control(const struct monitor_launch *launch, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", launch->directory);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_set_errno(err, errno, "%s", address.sun_path);
    return steal_fd(&fd);
}

/*
 * What the child gets, by enum monitor_fd, -1 = nothing: copies above all of the targets, so that
 * no source is one.
 */
struct descriptors {
    int list[MONITOR_FD_END];
};

static void descriptors_close(struct descriptors *descriptors)
{
    for (unsigned i = MONITOR_FD_FIRST; i < MONITOR_FD_END; i++)
        if (descriptors->list[i] >= 0)
            close(descriptors->list[i]);
}

/* Copies those that there are. Returns 0 or -errno. */
static int descriptors_copy(struct descriptors *descriptors)
{
    int rc = 0;

    for (unsigned i = MONITOR_FD_FIRST; i < MONITOR_FD_END; i++) {
        if (rc == 0 && descriptors->list[i] >= 0) {
            descriptors->list[i] = fcntl(descriptors->list[i], F_DUPFD_CLOEXEC, FD_ABOVE);
            rc = descriptors->list[i] < 0 ? -errno : 0;
        } else {
            descriptors->list[i] = -1;
        }
    }
    return rc;
}

static int plan_descriptors(posix_spawn_file_actions_t *actions,
                            const struct descriptors *descriptors)
{
    int rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (int i = MONITOR_FD_FIRST; rc == 0 && i < MONITOR_FD_END; i++)
        rc = descriptors->list[i] >= 0
                 ? posix_spawn_file_actions_adddup2(actions, descriptors->list[i], i)
                 : posix_spawn_file_actions_addclose(actions, i);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, MONITOR_FD_END);
    return rc;
}

/* No signal blocked or ignored, and a session of its own: a Ctrl-C is for the client to handle. */
static int plan_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                      POSIX_SPAWN_SETSID);
    return rc;
}

/* Returns 0 or a positive errno. */
static int spawn_monitor(const struct monitor_launch *launch, const struct descriptors *descriptors,
                         pid_t *pid)
{
    char program[] = "microvm";
    char command[] = "__monitor";
    AUTO_FREE char *directory = strdup(launch->directory);
    char *const arguments[] = {program, command, directory, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = directory ? posix_spawn_file_actions_init(&actions) : ENOMEM;

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = plan_attributes(&attributes);
        if (rc == 0)
            rc = plan_descriptors(&actions, descriptors);
        if (rc == 0)
            rc = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int monitor_launch(const struct monitor_launch *launch, struct monitor_link *link,
                   struct error *err)
{
    AUTO_CLOSE int listener = -1;
    struct descriptors descriptors;
    int rc;

    *link = (struct monitor_link)MONITOR_LINK_INIT;
    rc = write_spec(launch, err);
    if (rc < 0)
        return rc;
    link->control_fd = connect_control(launch, err);
    if (link->control_fd < 0) {
        rc = link->control_fd;
        link->control_fd = -1;
        return rc;
    }
    /* From here on only the monitor listens: when it dies, the connection ends. */
    listener = steal_fd(launch->control_listener);
    descriptors.list[MONITOR_FD_CONTROL] = listener;
    descriptors.list[MONITOR_FD_LOCK] = launch->lock_fd;
    descriptors.list[MONITOR_FD_CONSOLE] = launch->console_fd;
    descriptors.list[MONITOR_FD_NARRATION] = launch->narration_fd;
    rc = descriptors_copy(&descriptors);
    if (rc == 0) {
        signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap the monitor behind our back */
        rc = -spawn_monitor(launch, &descriptors, &link->pid);
    }
    descriptors_close(&descriptors);
    if (rc == 0) {
        link->pid_fd = pidfd_open(link->pid, 0);
        if (link->pid_fd < 0)
            rc = -errno;
    }
    if (rc < 0) {
        monitor_link_reap(link);
        return error_set_errno(err, -rc, "cannot start the monitor process");
    }
    return 0;
}

/* ---- the end -----------------------------------------------------------------------------------
 */

void monitor_link_end_by(struct monitor_link *link, unsigned ms)
{
    uint64_t end_by_ns = io_now_ns() + ms * NS_OF_MS;

    if (link->end_by_ns == 0 || end_by_ns < link->end_by_ns)
        link->end_by_ns = end_by_ns;
}

int monitor_link_patience_ms(const struct monitor_link *link)
{
    uint64_t now_ns = io_now_ns();

    if (link->end_by_ns == 0)
        return -1;
    return link->end_by_ns > now_ns ? (int)((link->end_by_ns - now_ns) / NS_OF_MS) + 1 : 0;
}

static bool has_ended(const struct monitor_link *link, int wait_ms)
{
    struct pollfd ended = {.fd = link->pid_fd, .events = POLLIN};

    return link->pid <= 0 || poll(&ended, 1, wait_ms) > 0;
}

bool monitor_link_is_overdue(struct monitor_link *link)
{
    const char *who;

    if (link->end_by_ns == 0 || io_now_ns() < link->end_by_ns)
        return false;
    if (has_ended(link, 0)) {
        link->end_by_ns = 0;
        return false;
    }
    who = link->control_fd >= 0 ? "the monitor" : "the container's init";
    if (link->killed) {
        log_error("%s, process %d, cannot be killed: it waits for a disk that hangs", who,
                  (int)link->pid);
        return true;
    }
    log_warning("%s, process %d, did not end in time and was killed", who, (int)link->pid);
    kill(link->pid, SIGKILL);
    link->killed = true;
    link->end_by_ns = io_now_ns() + MONITOR_END_MS * NS_OF_MS;
    return false;
}

/* Returns whether it has ended at last. */
static bool wait_for_end(struct monitor_link *link)
{
    monitor_link_end_by(link, MONITOR_END_MS);
    while (!has_ended(link, monitor_link_patience_ms(link)))
        if (monitor_link_is_overdue(link))
            return false;
    return true;
}

int monitor_link_reap(struct monitor_link *link)
{
    int status = 0;

    if (link->control_fd >= 0)
        close(link->control_fd); /* its last client is gone: the monitor ends */
    if (link->pid > 0 && link->pid_fd < 0)
        kill(link->pid, SIGKILL); /* it could not be watched: a launch that failed half-way */
    else if (!wait_for_end(link))
        status = SIGKILL; /* as if it had ended by it */
    if (link->pid > 0 && status == 0)
        while (waitpid(link->pid, &status, 0) < 0 && errno == EINTR)
            ;
    if (link->pid_fd >= 0)
        close(link->pid_fd);
    *link = (struct monitor_link)MONITOR_LINK_INIT;
    return status;
}
