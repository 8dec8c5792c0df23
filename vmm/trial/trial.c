/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one command under one isolation; see trial.h.
 *
 * The child is forked and not started by spawn.h: between fork and exec it joins cgroups, so that
 * all of the run is counted, and asks for a signal at the death of its parent. posix_spawn(3) can
 * do neither. The run writes its timeline to a memfd, which it opens by its path in /proc, and its
 * record to another memfd, the only descriptor that it inherits: nothing has to be removed.
 */
#include "vmm/trial/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/json.h"

#define TIMELINE_MAX (1U << 20)
#define READ_SIZE    65536
#define END_WAIT_MS  2000 /* for a run that was told to end */
#define RECORD_MAX   4096
#define RUN_FAILED   125 /* exit status of a child that fails before the exec */

struct running {
    const struct trial_request *request;
    struct trial_result *result;
    pid_t pid;
    int pid_fd;
    int record_fd;            /* for the record of the run */
    int pipes[TRIAL_STREAMS]; /* the read ends; -1 = end of file */
    uint64_t deadline_ns;     /* of io_now_ns(), for the end of an interrupted run */
};

/* ---- starting -------------------------------------------------------------------------------- */

/* Arguments of another command than `run`: its name, the descriptor of the record, the rest. */
static int make_other_arguments(const struct string_list *words, int record_fd,
                                struct string_list *arguments)
{
    for (size_t i = 0; i < words->count; i++) {
        if (string_list_add(arguments, words->items[i]) < 0 ||
            (i == 0 && string_list_add_format(arguments, "--report-fd=%d", record_fd) < 0))
            return -ENOMEM;
    }
    return 0;
}

/* Returns 0 or -ENOMEM. */
static int make_arguments(const struct trial_request *request, int timeline_fd, int record_fd,
                          struct string_list *arguments)
{
    if (string_list_add(arguments, "microvm") < 0)
        return -ENOMEM;
    if (request->arguments)
        return make_other_arguments(request->arguments, record_fd, arguments);
    if (string_list_add(arguments, "run") < 0 ||
        string_list_add_format(arguments, "--isolation=%s", request->sandbox->name) < 0 ||
        string_list_add_format(arguments, "--timeline=json:/proc/%d/fd/%d", (int)getpid(),
                               timeline_fd) < 0 ||
        string_list_add_format(arguments, "--report-fd=%d", record_fd) < 0 ||
        (request->options && string_list_add_all(arguments, request->options) < 0) ||
        string_list_add(arguments, "--") < 0 || string_list_add(arguments, request->image) < 0 ||
        (request->command && string_list_add_all(arguments, request->command) < 0))
        return -ENOMEM;
    return 0;
}

static void child_fail(const char *what)
{
    dprintf(STDERR_FILENO, "microvm: %s: %s\n", what, strerror(errno));
    _exit(RUN_FAILED);
}

/* Between fork and exec: only system calls, no memory is allocated. */
__attribute__((noreturn)) static void
child(const struct running *running, const int ends[TRIAL_STREAMS], char **arguments, pid_t parent)
{
    const struct trial_request *request = running->request;
    int null_fd = open("/dev/null", O_RDONLY);
    sigset_t none;

    setpgid(0, 0); /* a terminal's Ctrl-C goes to the parent only, which passes it on */
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* leftovers are removed as after any crash */
    if (getppid() != parent)
        _exit(RUN_FAILED);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(ends[TRIAL_OUTPUT], STDOUT_FILENO) < 0 || dup2(ends[TRIAL_ERRORS], STDERR_FILENO) < 0)
        _exit(RUN_FAILED);
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    fcntl(running->record_fd, F_SETFD,
          0); /* the one that the run inherits; it hands it on to none */
    for (size_t i = 0; i < request->join_count; i++) {
        if (write(request->joins[i], "0", 1) != 1)
            child_fail("cannot join the cgroup of this run");
    }
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", arguments);
    child_fail("/proc/self/exe");
    _exit(RUN_FAILED);
}

/* A pipe whose read end, the parent's, does not block. */
static int make_pipe(int *ours, int *theirs, struct error *err)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "run: pipe");
    *ours = pair[0];
    *theirs = pair[1];
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static int start(struct running *running, char **arguments, struct error *err)
{
    AUTO_CLOSE int output = -1;
    AUTO_CLOSE int errors = -1;
    const pid_t self = getpid();
    int rc = make_pipe(&running->pipes[TRIAL_OUTPUT], &output, err);

    if (rc < 0)
        return rc;
    rc = make_pipe(&running->pipes[TRIAL_ERRORS], &errors, err);
    if (rc < 0)
        return rc;
    running->result->start_ns = io_now_ns();
    running->pid = fork();
    if (running->pid == 0)
        child(running, (const int[]){[TRIAL_OUTPUT] = output, [TRIAL_ERRORS] = errors}, arguments,
              self);
    if (running->pid < 0)
        return error_set_errno(err, errno, "run: fork");
    running->pid_fd = pidfd_open(running->pid, 0);
    return running->pid_fd < 0 ? error_set_errno(err, errno, "run: pidfd_open") : 0;
}

/* ---- while it runs --------------------------------------------------------------------------- */

static void keep(const struct trial_request *request, struct trial_text *text, const char *bytes,
                 size_t size)
{
    size_t room = request->output_max - text->size;
    size_t kept = size < room ? size : room;
    char *grown = kept > 0 ? realloc(text->bytes, text->size + kept + 1) : NULL;

    text->total += size;
    if (!grown)
        return; /* full, or out of memory: the rest is only counted */
    text->bytes = grown;
    memcpy(text->bytes + text->size, bytes, kept);
    text->size += kept;
    text->bytes[text->size] = '\0';
}

/* Reads what is available. */
static void take_stream(struct running *running, enum trial_stream stream)
{
    static char buffer[READ_SIZE];

    while (running->pipes[stream] >= 0) {
        ssize_t count = read(running->pipes[stream], buffer, sizeof(buffer));

        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0) {
            close(running->pipes[stream]);
            running->pipes[stream] = -1;
            return;
        }
        if (stream == TRIAL_OUTPUT && running->result->first_byte_ns == 0)
            running->result->first_byte_ns = io_now_ns();
        keep(running->request, &running->result->streams[stream], buffer, (size_t)count);
    }
}

/* Tells the run to end, and the command with it. After the deadline, or a second signal, the run is
 * killed; its leftovers are removed as after any crash. */
static void take_signal(struct running *running)
{
    struct signalfd_siginfo info;

    if (read(running->request->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    kill(running->pid, running->result->interrupted ? SIGKILL : SIGTERM);
    if (!running->result->interrupted)
        running->deadline_ns = io_now_ns() + END_WAIT_MS * 1000000ULL;
    running->result->interrupted = (int)info.ssi_signo;
}

/* Milliseconds until the deadline, rounded up; -1 while there is none. */
static int time_left(const struct running *running)
{
    uint64_t now = io_now_ns();

    if (!running->result->interrupted)
        return -1;
    return now < running->deadline_ns ? (int)((running->deadline_ns - now) / 1000000U) + 1 : 0;
}

/* Until the run has ended. A process that still holds its streams then is not waited for. */
static void wait_for_end(struct running *running)
{
    enum { POLL_SIGNAL = TRIAL_STREAMS, POLL_END, POLL_COUNT };
    bool ended = false;

    while (!ended) {
        struct pollfd polls[POLL_COUNT] = {
            [TRIAL_OUTPUT] = {.fd = running->pipes[TRIAL_OUTPUT], .events = POLLIN},
            [TRIAL_ERRORS] = {.fd = running->pipes[TRIAL_ERRORS], .events = POLLIN},
            [POLL_SIGNAL] = {.fd = running->request->signal_fd, .events = POLLIN},
            [POLL_END] = {.fd = running->pid_fd, .events = POLLIN},
        };

        if (poll(polls, POLL_COUNT, time_left(running)) < 0)
            continue;
        if (time_left(running) == 0)
            kill(running->pid, SIGKILL);
        ended = polls[POLL_END].revents != 0;
        for (int i = 0; i < TRIAL_STREAMS; i++)
            take_stream(running, (enum trial_stream)i);
        if (polls[POLL_SIGNAL].revents)
            take_signal(running);
    }
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000U + (uint64_t)time.tv_usec;
}

static void reap(const struct running *running)
{
    struct trial_result *result = running->result;
    struct rusage usage = {0};
    int status = 0;

    while (wait4(running->pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    result->end_ns = io_now_ns();
    result->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result->cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

static void read_timeline(int fd, struct trial_result *result)
{
    AUTO_FREE char *text = malloc(TIMELINE_MAX);
    ssize_t size = text ? io_pread_full(fd, text, TIMELINE_MAX, 0) : 0;

    if (size > 0 && (size_t)size < TIMELINE_MAX)
        (void)json_parse(text, (size_t)size, &result->timeline, NULL);
}

static void read_record(int fd, struct trial_result *result)
{
    char text[RECORD_MAX];
    ssize_t size = io_pread_full(fd, text, sizeof(text), 0);

    if (size > 0)
        result->recorded = run_record_parse(text, (size_t)size, &result->record);
}

int trial_run(const struct trial_request *request, struct trial_result *result, struct error *err)
{
    AUTO_STRING_LIST struct string_list arguments = {0};
    AUTO_CLOSE int timeline_fd = memfd_create("timeline", MFD_CLOEXEC);
    AUTO_CLOSE int record_fd = memfd_create("record", MFD_CLOEXEC);
    struct running running = {.request = request,
                              .result = result,
                              .pid = -1,
                              .pid_fd = -1,
                              .record_fd = record_fd,
                              .pipes = {-1, -1}};
    int rc = 0;

    *result = (struct trial_result){0};
    if (timeline_fd < 0 || record_fd < 0)
        return error_set_errno(err, errno, "run: memfd_create");
    if (make_arguments(request, timeline_fd, record_fd, &arguments) < 0)
        return error_set_errno(err, ENOMEM, "run");
    rc = start(&running, arguments.items, err);
    if (rc == 0) {
        if (request->started)
            request->started(request->opaque, running.pid);
        wait_for_end(&running);
    } else if (running.pid > 0) {
        kill(running.pid, SIGTERM);
    }
    if (running.pid > 0)
        reap(&running);
    for (int i = 0; i < TRIAL_STREAMS; i++) {
        if (running.pipes[i] >= 0)
            close(running.pipes[i]);
    }
    if (running.pid_fd >= 0)
        close(running.pid_fd);
    read_timeline(timeline_fd, result);
    read_record(record_fd, result);
    return rc;
}

void trial_result_release(struct trial_result *result)
{
    for (int i = 0; i < TRIAL_STREAMS; i++)
        free(result->streams[i].bytes);
    json_decref(result->timeline);
    *result = (struct trial_result){0};
}

/* ---- the timeline ---------------------------------------------------------------------------- */

/* A member that is a number and not negative. */
static bool get_number(const json_t *object, const char *name, uint64_t *value)
{
    const json_t *member = json_object_get(object, name);

    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return false;
    *value = (uint64_t)json_integer_value(member);
    return true;
}

bool trial_step(const struct trial_result *result, const char *step, uint64_t *at_ns)
{
    const json_t *steps = json_object_get(result->timeline, "steps");
    uint64_t start_ns;

    if (!get_number(result->timeline, "start_ns", &start_ns))
        return false;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *row = json_array_get(steps, i);
        const char *name = json_string_value(json_object_get(row, "step"));

        if (name && strcmp(name, step) == 0 && get_number(row, "at_ns", at_ns)) {
            *at_ns += start_ns;
            return true;
        }
    }
    return false;
}

bool trial_count(const struct trial_result *result, const char *name, uint64_t *value)
{
    const json_t *counts = json_object_get(result->timeline, "counts");

    return get_number(json_object_get(counts, "end"), name, value);
}

bool trial_failed(const struct trial_result *result)
{
    return !result->recorded || result->record.reason[0];
}

void trial_why(const struct trial_result *result, char *text, size_t size)
{
    if (result->recorded && result->record.reason[0])
        snprintf(text, size, "%s", result->record.reason);
    else if (result->recorded)
        snprintf(text, size, "the command ended with status %d", result->status);
    else
        snprintf(text, size, "microvm ended with status %d without a record of the run",
                 result->status);
}
