/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the container with crun and takes hold of its process and standard streams. */
#include "guest/init/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/protocol.h"

#define PID_FILE       PROTOCOL_RUN_DIR "/container.pid"
#define CONSOLE_SOCKET PROTOCOL_RUN_DIR "/console.sock"
#define CONTAINER_ID   "container"

#define ARGUMENTS_MAX (OPTIONS_RUNTIME_MAX + 16)

/* A path within the directory that holds all of this container. */
static const char *locate(const struct container *container, const char *path,
                          char buffer[RUNTIME_PATH_MAX])
{
    snprintf(buffer, RUNTIME_PATH_MAX, "%s%s", container->directory, path);
    return buffer;
}

static int set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* A pipe of which init keeps one end (`ours`: 0 reads, 1 writes). Returns the container's end. */
static int make_pipe(int ours, int *kept, struct failure *failure)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0 || set_nonblocking(ends[ours]) < 0)
        return failure_set_errno(failure, "pipe");
    *kept = ends[ours];
    return ends[!ours];
}

static int open_null(struct failure *failure)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    return fd < 0 ? failure_set_errno(failure, "/dev/null") : fd;
}

static int listen_for_console(const struct container *container, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[RUNTIME_PATH_MAX];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                 locate(container, CONSOLE_SOCKET, path)) >= (int)sizeof(address.sun_path))
        errno = ENAMETOOLONG;
    else if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
             listen(fd, 1) == 0)
        return fd;
    return failure_set_errno(failure, "console socket %s", path);
}

/* Starts the runtime with its options and then `arguments` (null at the end). */
static int spawn_runtime(const struct process_options *options, const int stdio[3],
                         const char *const arguments[], pid_t *pid, struct failure *failure)
{
    const char *all[ARGUMENTS_MAX] = {options->runtime};
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {path, NULL};
    /* posix_spawn() changes none of its arguments, whatever its prototype says (POSIX.1-2017, exec,
     * rationale): that is all the cast is for. */
    char *const *argv = (char *const *)(uintptr_t)all; // NOLINT(performance-no-int-to-ptr)
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    unsigned count = 1;
    sigset_t none;
    int reason;

    for (unsigned i = 0; options->runtime_options[i]; i++)
        all[count++] = options->runtime_options[i];
    while (*arguments)
        all[count++] = *arguments++;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, stdio[i], i);
    reason = posix_spawn(pid, options->runtime, &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (reason == 0)
        return 0;
    *pid = 0;
    errno = reason;
    return failure_set_errno(failure, "cannot start the runtime %s", options->runtime);
}

static int run_detached(struct container *container, const int stdio[3], struct failure *failure)
{
    char bundle[RUNTIME_PATH_MAX];
    char pid_file[RUNTIME_PATH_MAX];
    char console[RUNTIME_PATH_MAX];
    const char *arguments[16];
    unsigned count = 0;

    arguments[count++] = container->options->trace ? "create" : "run";
    if (!container->options->trace)
        arguments[count++] = "--detach";
    arguments[count++] = "--bundle";
    arguments[count++] = locate(container, PROTOCOL_BUNDLE_DIR, bundle);
    arguments[count++] = "--pid-file";
    arguments[count++] = locate(container, PID_FILE, pid_file);
    if (container->options->terminal) {
        arguments[count++] = "--console-socket";
        arguments[count++] = locate(container, CONSOLE_SOCKET, console);
    }
    arguments[count++] = CONTAINER_ID;
    arguments[count] = NULL;
    return spawn_runtime(container->options, stdio, arguments, &container->runtime, failure);
}

int container_start_created(struct container *container, struct failure *failure)
{
    const char *const arguments[] = {"start", CONTAINER_ID, NULL};
    int null = open_null(failure);
    int result = -1;

    if (null >= 0) {
        const int stdio[] = {null, null, container->error_end};

        result = spawn_runtime(container->options, stdio, arguments, &container->runtime, failure);
        close(null);
    }
    close(container->error_end);
    container->error_end = -1;
    return result;
}

int container_start(struct container *container, const char *directory,
                    const struct process_options *options, struct failure *failure)
{
    int stdio[3];
    int result;

    *container = (struct container){
        .directory = directory,
        .options = options,
        .input = -1,
        .output = -1,
        .error = -1,
        .console_listener = -1,
        .error_end = -1,
    };
    if (options->terminal &&
        (container->console_listener = listen_for_console(container, failure)) < 0)
        return -1;
    stdio[0] = options->standard_input && !options->terminal
                   ? make_pipe(1, &container->input, failure)
                   : open_null(failure);
    stdio[1] = options->terminal ? open_null(failure) : make_pipe(0, &container->output, failure);
    stdio[2] = make_pipe(0, &container->error, failure);
    if (stdio[0] < 0 || stdio[1] < 0 || stdio[2] < 0)
        return -1;
    result = run_detached(container, stdio, failure);
    if (options->trace)
        container->error_end = fcntl(stdio[2], F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 3; i++)
        close(stdio[i]);
    return result;
}

void container_signal(const struct container *container, int number)
{
    char text[16];
    const char *const arguments[] = {"kill", CONTAINER_ID, text, NULL};
    struct failure ignored;
    int null;
    pid_t pid;

    if (container->pid <= 0)
        return;
    if (!container->options->runtime_signals) {
        kill(container->pid, number);
        return;
    }
    snprintf(text, sizeof(text), "%d", number);
    null = open_null(&ignored);
    if (null >= 0) /* it is reaped like all others */
        (void)spawn_runtime(container->options, (const int[]){null, null, null}, arguments, &pid,
                            &ignored);
    if (null >= 0)
        close(null);
}

/* Takes the terminal that crun has sent. Returns its non-blocking master. */
static int receive_console(int listener, struct failure *failure)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char data[64];
    struct iovec vector = {data, sizeof(data)};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    const struct cmsghdr *header;
    int fd;

    if (connection < 0 || recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0)
        return failure_set_errno(failure, "console socket");
    close(connection);
    header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        return failure_set(failure, "console socket: the runtime sent no terminal");
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    if (set_nonblocking(fd) < 0)
        return failure_set_errno(failure, "terminal");
    return fd;
}

static int read_pid_file(const struct container *container, pid_t *pid, struct failure *failure)
{
    char path[RUNTIME_PATH_MAX];
    char text[16];
    int fd = open(locate(container, PID_FILE, path), O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0 && errno == ENOENT)
        return failure_set(failure,
                           "the runtime %s did not start a container; is it an OCI runtime?",
                           container->options->runtime);
    if (fd < 0)
        return failure_set_errno(failure, "%s", path);
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    *pid = atoi(text);
    return *pid > 1 ? 0 : failure_set(failure, "%s: is not a process number: %s", path, text);
}

int container_attach(struct container *container, struct failure *failure)
{
    if (read_pid_file(container, &container->pid, failure) < 0)
        return -1;
    if (!container->options->terminal)
        return 0;
    container->input = receive_console(container->console_listener, failure);
    close(container->console_listener);
    container->console_listener = -1;
    if (container->input < 0)
        return -1;
    container->output = fcntl(container->input, F_DUPFD_CLOEXEC, 0);
    return container->output < 0 ? failure_set_errno(failure, "terminal") : 0;
}

int container_explain(const struct container *container, int wait_status, struct failure *failure)
{
    char text[FAILURE_TEXT_SIZE - 100];
    ssize_t size = read(container->error, text, sizeof(text) - 1);
    int reason = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);

    if (size <= 0)
        return failure_set(failure, "the runtime %s ended without a message (%s %d%s%s)",
                           container->options->runtime,
                           WIFSIGNALED(wait_status) ? "signal" : "status", reason,
                           WIFSIGNALED(wait_status) ? ", " : "",
                           WIFSIGNALED(wait_status) ? strsignal(reason) : "");
    while (size > 0 && text[size - 1] == '\n')
        size--;
    text[size] = '\0';
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ' ';
    failure_set(failure, "%s", text);
    if (strstr(text, "not found in $PATH") || strstr(text, "error finding executable"))
        failure->status = FAILURE_NOT_FOUND;
    else if (strstr(text, "open executable") || strstr(text, "failed to load /"))
        failure->status = FAILURE_NOT_EXECUTABLE;
    return -1;
}
