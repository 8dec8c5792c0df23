/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start the monitor of an instance, and end it.
 *
 * The monitor is the same program, from /proc/self/exe, so both always have the same version. As
 * with vfork(2), it shares the caller's memory until its execve(2), so starting it costs the same
 * however large the caller is.
 */
#include "vmm/monitor/monitor_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/unix_socket.h"
#include "vmm/confine/jail.h"
#include "vmm/confine/namespaces.h"

#define STACK_SIZE 32768
#define NS_OF_MS   UINT64_C(1000000)

/* The description as an anonymous file. */
static int write_spec(const struct machine_spec *spec, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create("machine", MFD_CLOEXEC);
    AUTO_FREE char *json = NULL;
    int rc;

    if (fd < 0)
        return error_set_errno(err, errno, "VM description");
    rc = machine_spec_to_json(spec, &json, err);
    if (rc < 0 || !json)
        return rc;
    rc = io_write_all(fd, json, strlen(json));
    if (rc < 0)
        return error_set_errno(err, -rc, "VM description");
    return steal_fd(&fd);
}

static int connect_control(const struct monitor_launch *launch, struct error *err)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/control.sock", launch->directory);
    return unix_socket_connect(path, SOCK_SEQPACKET, err);
}

/* ---- the child: shares the caller's memory, so it only makes system calls ---- */

/* Sanitizers do not know its stack. */
#define IN_CHILD __attribute__((no_sanitize("address")))

struct child {
    const struct fd_table *descriptors;
    int null_fd;
    char *const *arguments;
    int namespaces; /* CLONE_NEW… */
    unsigned uid, gid;
    int code; /* errno of what failed */
};

/* Copies the descriptors above all targets, then onto the targets, so that no source is
 * overwritten. */
IN_CHILD static int place_descriptors(const struct child *child)
{
    const int end = FD_TABLE_FIRST + (int)child->descriptors->count;
    int copies[FD_TABLE_MAX];

    for (unsigned i = 0; i < child->descriptors->count; i++) {
        copies[i] = fcntl(child->descriptors->rows[i].fd, F_DUPFD_CLOEXEC, end);
        if (copies[i] < 0)
            return -1;
    }
    if (dup2(child->null_fd, STDIN_FILENO) < 0 || dup2(child->null_fd, STDOUT_FILENO) < 0)
        return -1;
    for (unsigned i = 0; i < child->descriptors->count; i++)
        if (dup2(copies[i], FD_TABLE_FIRST + (int)i) < 0)
            return -1;
    return close_range((unsigned)end, ~0U, 0);
}

/* Ignores and blocks no signal. */
IN_CHILD static void reset_signals(void)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        struct sigaction present;

        if (sigaction(number, NULL, &present) == 0 && present.sa_handler == SIG_IGN)
            sigaction(number, &usual, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

IN_CHILD static int run_child(void *opaque)
{
    static char *const environment[] = {NULL};
    struct child *child = opaque;

    reset_signals();
    if (namespaces_map_user(child->namespaces, child->uid, child->gid) == 0 &&
        place_descriptors(child) == 0 && setsid() >= 0)
        execve("/proc/self/exe", child->arguments, environment);
    child->code = errno;
    _exit(127);
}

/* Returns 0 or a negative errno. */
static int make_child(struct child *child, struct monitor_link *link)
{
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        return -errno;
    child->code = 0;
    link->pid = clone(run_child, stack + STACK_SIZE,
                      child->namespaces | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child,
                      &link->pid_fd);
    if (link->pid < 0) {
        child->code = errno;
        link->pid_fd = -1;
    } else if (child->code != 0) {
        while (waitpid(link->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        close(link->pid_fd);
        *link = (struct monitor_link){-1, -1, link->control_fd, 0, false};
    }
    munmap(stack, STACK_SIZE);
    return -child->code;
}

/* Starts it with as many namespaces as the host allows. Returns 0 or a negative errno. */
static int spawn_monitor(const struct monitor_launch *launch, const struct fd_table *descriptors,
                         char *names, struct monitor_link *link)
{
    char program[] = "microvm";
    char command[] = "__monitor";
    char plan_text[JAIL_PLAN_SIZE];
    /* The directory is only shown in lists of processes. */
    AUTO_FREE char *directory = strdup(launch->directory);
    char *const arguments[] = {program, command, directory, names, plan_text, NULL};
    AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct child child = {
        .descriptors = descriptors,
        .null_fd = null_fd,
        .arguments = arguments,
        .uid = geteuid(),
        .gid = getegid(),
    };
    struct jail_plan plan = {.required = launch->jail.required};
    int rc = null_fd < 0 ? -errno : directory ? -EPERM : -ENOMEM;

    plan.user = (launch->jail.first_user ? launch->jail.first_user : MONITOR_JAIL_USER) +
                (uint32_t)getpid();
    for (unsigned attempt = 0; null_fd >= 0 && directory && rc < 0; attempt++) {
        int flags = namespaces_flags(attempt);

        if (flags < 0)
            break;
        plan.namespaces = child.namespaces = flags;
        jail_plan_format(&plan, plan_text);
        rc = make_child(&child, link);
    }
    return rc;
}

/* ---- the start ---- */

/* The log of the guest's console, to debug failures: optional. */
static int open_console_log(const struct monitor_launch *launch)
{
    return launch->directory_fd < 0
               ? -1
               : openat(launch->directory_fd, "console.log",
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The monitor's own descriptors, in addition to the VM's. */
static int add_own(const struct monitor_launch *launch, int listener, int machine, int console_log,
                   struct fd_table *descriptors, struct error *err)
{
    const struct {
        const char *name;
        int fd;
    } own[] = {{"control", listener},
               {"lock", launch->lock_fd},
               {"machine", machine},
               {"console-log", console_log},
               {"trace", launch->trace_fd}};

    for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
        int rc = fd_table_add(descriptors, own[i].name, own[i].fd, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int start(const struct monitor_launch *launch, struct monitor_link *link, struct error *err)
{
    AUTO_CLOSE int machine = write_spec(launch->spec, err);
    AUTO_CLOSE int console_log = -1;
    AUTO_CLOSE int listener = -1;
    AUTO_FREE char *names = NULL;
    struct fd_table descriptors = *launch->descriptors;
    int rc;

    if (machine < 0)
        return machine;
    link->control_fd = connect_control(launch, err);
    if (link->control_fd < 0)
        return link->control_fd;
    console_log = open_console_log(launch);
    /* From here on only the monitor listens: when it dies, the connection ends. */
    listener = steal_fd(launch->control_listener);
    rc = add_own(launch, listener, machine, console_log, &descriptors, err);
    if (rc < 0)
        return rc;
    rc = fd_table_names(&descriptors, &names, err);
    if (rc < 0)
        return rc;
    signal(SIGCHLD, SIG_DFL); /* with an inherited SIG_IGN the kernel would reap the monitor */
    rc = spawn_monitor(launch, &descriptors, names, link);
    return rc < 0 ? error_set_errno(err, -rc, "cannot start the monitor process") : 0;
}

int monitor_launch(const struct monitor_launch *launch, struct monitor_link *link,
                   struct error *err)
{
    int rc;

    *link = (struct monitor_link)MONITOR_LINK_INIT;
    rc = start(launch, link, err);
    if (rc < 0)
        monitor_link_reap(link);
    return rc;
}

/* ---- the end ---- */

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
        log_error("%s, process %d, cannot be killed: it waits for a hanging disk", who,
                  (int)link->pid);
        return true;
    }
    log_warning("%s, process %d, did not end in time and was killed", who, (int)link->pid);
    kill(link->pid, SIGKILL);
    link->killed = true;
    link->end_by_ns = io_now_ns() + MONITOR_END_MS * NS_OF_MS;
    return false;
}

/* Returns whether it has ended. */
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
        close(link->control_fd); /* its last client has disconnected: the monitor ends */
    if (link->pid > 0 && link->pid_fd < 0)
        kill(link->pid, SIGKILL); /* it cannot be watched: its launch failed half-way */
    else if (!wait_for_end(link))
        status = SIGKILL; /* as if it had died of it */
    if (link->pid > 0 && status == 0)
        while (waitpid(link->pid, &status, 0) < 0 && errno == EINTR)
            ;
    if (link->pid_fd >= 0)
        close(link->pid_fd);
    *link = (struct monitor_link)MONITOR_LINK_INIT;
    return status;
}
