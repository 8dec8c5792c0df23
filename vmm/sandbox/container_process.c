/* SPDX-License-Identifier: Apache-2.0 */
/* Process 1 of a container's outer namespaces; see container_process.h. */
#include "vmm/sandbox/container_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/protocol.h"
#include "vmm/base/cgroup.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

#define CHILD_STACK (512UL << 10)

/* ---- in the new process ---- */

/* Waits for the id maps, becomes root of the namespace, and ends with its parent from then on. */
static int take_identity(int channel, bool rootless, struct error *err)
{
    struct pollfd parent = {.fd = channel};
    char ready;

    if (io_read_full(channel, &ready, 1) != 1)
        _exit(1); /* the parent has ended or failed */
    if (rootless && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        return error_set_errno(err, errno, "cannot become root of the user namespace");
    /* A change of identity would reset it: now is the time. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_set_errno(err, errno, "prctl");
    if (poll(&parent, 1, 0) == 1 && (parent.revents & POLLHUP))
        _exit(1); /* it was gone before */
    return 0;
}

/*
 * A container must not be able to write the file of the runtime that starts it (CVE-2019-5736).
 * crun makes sure of that itself: it mounts a read-only copy of itself and executes that, which
 * costs a tenth of its time. On a mount that is read-only already it does not. Without one, as on
 * Linux before 5.12, everything works all the same.
 */
static void protect_runtime(const char *path)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    AUTO_CLOSE int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0)
        (void)move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int enter_namespaces(const char *runtime, struct error *err)
{
    const char *hybrid = cgroup_hybrid_mount();

    setsid();   /* a Ctrl-C is for the client to handle */
    umask(022); /* as in a VM: what is made for the container is for all of its users */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_set_errno(err, errno, "cannot make the mounts private");
    if (runtime)
        protect_runtime(runtime);
    /* Runtimes of version 1 work as soon as they do not see the empty hierarchy beside it. It is
     * covered, not taken away: some make their group there all the same, in what would then be the
     * host's own directory, which stays behind, or which is read-only. */
    if (hybrid)
        (void)mount("tmpfs", hybrid, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");
    /* And crun wants one to see where there is none: version 1, without any controller. */
    if (cgroup_version() == CGROUP_NONE)
        (void)mount("tmpfs", CGROUP_TOP, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");
    return 0;
}

/* The process namespace is new, so what /proc has said until here was of another one. */
static int mount_proc(struct error *err)
{
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return error_set_errno(err, errno,
                               "cannot mount /proc for the container (parts of /proc that are "
                               "masked here, as in another container, forbid it)");
    return 0;
}

/* Gives init its descriptors, each where it looks for it, and nothing else. The client's may be
 * anywhere, also in each other's places: all are copied out of the way first. */
static int place_descriptors(const struct container_process *process, struct error *err)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int sources[PROTOCOL_FDS_END] = {null, null, STDERR_FILENO, process->lock};

    for (int i = 0; i < 1 + PROTOCOL_STREAMS; i++)
        sources[PROTOCOL_CONTROL_FD + i] = process->connections[i];
    for (int i = 0; i < PROTOCOL_FDS_END; i++) {
        if (sources[i] < 0)
            continue;
        sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, PROTOCOL_FDS_END);
        if (sources[i] < 0)
            return error_set_errno(err, errno, "descriptors of init");
    }
    for (int i = 0; i < PROTOCOL_FDS_END; i++) {
        if (sources[i] < 0)
            close(i);
        else if (dup2(sources[i], i) < 0)
            return error_set_errno(err, errno, "descriptors of init");
    }
    /* What the client's caller has left open is not for the container; since Linux 5.11. */
    (void)close_range(PROTOCOL_FDS_END, ~0U, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static int execute_init(const struct container_process *process, struct error *err)
{
    const char *const arguments[] = {"microvm-init", "--host", process->root.directory, NULL};
    char *const environment[] = {NULL};
    sigset_t none;
    int rc;

    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    rc = place_descriptors(process, err);
    if (rc < 0)
        return rc;
    /* execve() changes none of its arguments, whatever its prototype says (POSIX.1-2017, exec,
     * rationale). NOLINTNEXTLINE(performance-no-int-to-ptr): that is all the cast is for. */
    execve(process->init, (char *const *)(uintptr_t)arguments, environment);
    return error_set_errno(err, errno, "%s", process->init);
}

/* What the new process is given. */
struct child {
    const struct container_process *process;
    int channel; /* its end */
    int other;   /* the parent's end */
};

/* Does not return. Whatever goes wrong before the exec goes to the parent as its text. */
static int child_main(void *argument)
{
    const struct child *child = argument;
    const struct container_process *process = child->process;
    struct error err = ERROR_INIT;
    int channel;

    close(child->other);
    /* Out of the way of the descriptors that init gets. */
    channel = fcntl(child->channel, F_DUPFD_CLOEXEC, PROTOCOL_FDS_END);
    if (channel < 0)
        _exit(1);
    close(child->channel);
    if (take_identity(channel, process->root.rootless, &err) == 0 &&
        enter_namespaces(process->runtime, &err) == 0 && mount_proc(&err) == 0 &&
        container_root_mount(&process->root, &err) == 0)
        (void)execute_init(process, &err); /* returns to say why not */
    (void)io_write_all(channel, &err, sizeof(err));
    _exit(1);
}

/* ---- in the client ---- */

/* Lets the child go on. */
static int send_ready(int channel, struct error *err)
{
    if (send(channel, "", 1, MSG_NOSIGNAL) == 1)
        return 0;
    if (errno != EPIPE)
        return error_set_errno(err, errno, "cannot let the container's first process go on");
    return error_set(err, ECHILD, "the container's first process has ended at once");
}

/* Waits until the child has executed init (the channel closes) or says why not. */
static int wait_for_init(int channel, struct error *err)
{
    struct error failure;
    ssize_t size;

    size = io_read_full(channel, &failure, sizeof(failure));
    if (size == 0)
        return 0;
    if (size != sizeof(failure))
        return error_set(err, ECHILD, "the container's first process has ended at once");
    failure.text[sizeof(failure.text) - 1] = '\0';
    return error_set(err, failure.code > 0 ? failure.code : EIO, "%s", failure.text);
}

static int clone_error(int code, bool rootless, struct error *err)
{
    if (rootless && (code == EPERM || code == ENOSPC || code == EUSERS || code == EINVAL))
        return error_set(err, EPERM,
                         "--isolation=container without root needs user namespaces, and this "
                         "system gives you none; run as root, or allow them (sysctl "
                         "user.max_user_namespaces, kernel.unprivileged_userns_clone, "
                         "kernel.apparmor_restrict_unprivileged_userns)");
    if (code == EPERM)
        return error_set(err, EPERM,
                         "--isolation=container: this root may not make namespaces "
                         "(CAP_SYS_ADMIN is missing, or a seccomp filter forbids it)");
    return error_set_errno(err, code, "cannot make the container's namespaces");
}

/*
 * The new process. As root it runs in the caller's memory, and the caller waits until it has
 * executed init: nothing is copied, which would cost as much as all that it does. Without root the
 * caller has to write the id maps meanwhile.
 */
static pid_t clone_child(const struct child *child, int *reason)
{
    const bool rootless = child->process->root.rootless;
    const int flags =
        CLONE_NEWNS | CLONE_NEWPID | SIGCHLD | (rootless ? CLONE_NEWUSER : CLONE_VM | CLONE_VFORK);
    char *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    struct child copy = *child;
    pid_t pid;

    if (stack == MAP_FAILED) {
        *reason = errno;
        return -1;
    }
    pid = clone(child_main, stack + CHILD_STACK, flags, &copy);
    *reason = errno;
    munmap(stack, CHILD_STACK);
    return pid;
}

/* Gives the child what it waits for, and waits until it has executed init. */
static int guide_child(const struct container_process *process, pid_t pid, int channel,
                       struct error *err)
{
    if (process->root.rootless) {
        int rc = id_map_write(&process->ids, pid, err);

        if (rc < 0)
            return rc;
        rc = send_ready(channel, err);
        if (rc < 0)
            return rc;
    }
    return wait_for_init(channel, err);
}

int container_process_start(const struct container_process *process, pid_t *pid, struct error *err)
{
    const bool rootless = process->root.rootless;
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int childs = -1;
    int channel[2];
    int reason;
    int rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0)
        return error_set_errno(err, errno, "socketpair");
    ours = channel[0];
    childs = channel[1];
    signal(SIGCHLD, SIG_DFL); /* with an inherited SIG_IGN the kernel would reap it */
    /* As root this process does not run before the child has executed init. */
    if (!rootless) {
        rc = send_ready(ours, err);
        if (rc < 0)
            return rc;
    }
    *pid = clone_child(&(struct child){process, childs, ours}, &reason);
    if (*pid < 0)
        return clone_error(reason, rootless, err);
    cleanup_close(&childs);
    childs = -1;
    rc = guide_child(process, *pid, ours, err);
    if (rc < 0) {
        kill(*pid, SIGKILL);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return rc;
}
