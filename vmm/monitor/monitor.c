/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor process: builds the VM that the client described, runs its I/O loop, sends events to
 * clients and handles their commands.
 *
 * Clients (clients.h) are accepted when the guest runs: nothing is sent before. vCPU threads pass
 * marks to the I/O loop through a small list. Every failure is reported in the "end" message.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/doorbell_abi.h"
#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/confine/jail.h"
#include "vmm/confine/syscall_filter.h"
#include "vmm/machine/devices.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/thread_calls.h"
#include "vmm/monitor/clients.h"
#include "vmm/monitor/console_log.h"
#include "vmm/monitor/control_protocol.h"
#include "vmm/monitor/monitor.h"
#include "vmm/monitor/trace_pipe.h"

#define SPEC_MAX       65536
#define PENDING_MAX    64  /* marks that wait for the I/O loop; further ones are dropped */
#define MARKS_MAX      128 /* marks that are sent at all */
#define CLIENT_WAIT_MS 10000
/* vCPUs, queues, interrupts, vsock connections, and a margin. */
#define DESCRIPTORS_MAX 512

struct pending_mark {
    uint32_t mark;
    uint64_t time_ns;
};

struct monitor {
    struct machine_spec spec;
    struct event_loop *loop;
    struct machine *machine;
    struct fd_table descriptors;
    uint64_t file_size_max; /* the largest file that it may write */
    int signal_fd;
    struct clients clients;
    struct console_log console;
    struct trace_pipe trace_pipe;
    unsigned marks_sent;
    /* Under the lock: passed from vCPU threads to the loop. */
    pthread_mutex_t marks_lock;
    struct pending_mark pending[PENDING_MAX];
    unsigned pending_count;
    struct control_event init_counts; /* taken at the first mark of init */
    bool init_counted;
    bool init_counts_sent;      /* loop only */
    struct control_event event; /* scratch; too large for a stack. Loop only */
};

/* ---- allowed system calls ---- */

struct syscall_rules monitor_calls(void)
{
    /* Clients: connected sockets only, and no descriptor goes with a message. */
    static const struct syscall_rule rules[] = {
        {__NR_accept4, SYSCALL_ALWAYS, 0, 0},
        {__NR_sendto, SYSCALL_ARGUMENTS_ZERO, 0, SYSCALL_NO_ADDRESS},
        {__NR_recvfrom, SYSCALL_ARGUMENTS_ZERO, 0, SYSCALL_NO_ADDRESS},
        {__NR_shutdown, SYSCALL_ALWAYS, 0, 0},
    };

    return (struct syscall_rules){rules, ARRAY_LENGTH(rules)};
}

static int confine(void *opaque, enum machine_thread thread, const struct syscall_rules *lists,
                   size_t count, struct error *err)
{
    const struct monitor *monitor = opaque;
    struct syscall_rules all[THREAD_CALLS_MAX + 1];
    int rc = 0;

    memcpy(all, lists, count * sizeof(lists[0]));
    if (thread == MACHINE_THREAD_LOOP) {
        all[count++] = monitor_calls();
        rc = jail_limit(monitor->file_size_max, DESCRIPTORS_MAX, err);
    }
    return rc < 0 ? rc : jail_close(all, count, err);
}

size_t monitor_thread_calls(enum machine_thread thread, uint32_t *calls, size_t max)
{
    struct thread_calls lists;

    thread_calls_begin(&lists, thread);
    devices_add_all_calls(thread, &lists);
    if (thread == MACHINE_THREAD_LOOP)
        thread_calls_add(&lists, monitor_calls());
    return syscall_filter_calls(lists.lists, lists.count, calls, max);
}

/* ---- messages to clients ---- */

/* The event to fill in next, empty. */
static struct control_event *event_begin(struct monitor *monitor, enum control_event_type type)
{
    struct control_event *event = &monitor->event;

    memset(event, 0, sizeof(*event));
    event->type = type;
    event->time_ns = io_now_ns();
    return event;
}

static void send_stage(void *opaque, enum machine_stage stage)
{
    struct monitor *monitor = opaque;
    struct control_event *event = event_begin(monitor, CONTROL_EVENT_STAGE);

    event->stage = stage;
    clients_send(&monitor->clients, event);
}

static void add_count(void *opaque, const char *name, uint64_t value)
{
    control_event_add_count(opaque, name, value);
}

/* vCPU threads. */
static void on_mark(void *opaque, uint32_t mark)
{
    struct monitor *monitor = opaque;
    struct pending_mark pending = {.mark = mark, .time_ns = io_now_ns()};

    pthread_mutex_lock(&monitor->marks_lock);
    if (monitor->pending_count < PENDING_MAX)
        monitor->pending[monitor->pending_count++] = pending;
    if (mark == DOORBELL_MARK_INIT && !monitor->init_counted) {
        monitor->init_counted = true;
        monitor->init_counts.type = CONTROL_EVENT_COUNTS;
        monitor->init_counts.at = CONTROL_COUNTS_INIT;
        machine_visit_counts(monitor->machine, add_count, &monitor->init_counts);
    }
    pthread_mutex_unlock(&monitor->marks_lock);
    event_loop_wake(monitor->loop);
}

/* Each turn of the loop. */
static void send_marks(void *opaque)
{
    struct monitor *monitor = opaque;
    struct pending_mark marks[PENDING_MAX];
    unsigned count;
    bool counted;

    pthread_mutex_lock(&monitor->marks_lock);
    count = monitor->pending_count;
    memcpy(marks, monitor->pending, count * sizeof(marks[0]));
    monitor->pending_count = 0;
    counted = monitor->init_counted;
    pthread_mutex_unlock(&monitor->marks_lock);
    for (unsigned i = 0; i < count && monitor->marks_sent < MARKS_MAX; i++) {
        struct control_event *event = event_begin(monitor, CONTROL_EVENT_MARK);

        event->mark = marks[i].mark;
        event->time_ns = marks[i].time_ns;
        clients_send(&monitor->clients, event);
        monitor->marks_sent++;
    }
    if (counted && !monitor->init_counts_sent) { /* written once, before `counted` was */
        monitor->init_counts_sent = true;
        clients_send(&monitor->clients, &monitor->init_counts);
    }
}

static void on_console_output(void *opaque, const void *data, size_t size)
{
    struct monitor *monitor = opaque;

    console_log_add(&monitor->console, data, size);
}

static void trace(void *opaque, const char *who, const char *line)
{
    struct monitor *monitor = opaque;

    trace_pipe_write(&monitor->trace_pipe, who, line);
}

static void handle_command(void *opaque, const struct control_command *command)
{
    const struct monitor *monitor = opaque;

    switch (command->type) {
    case CONTROL_COMMAND_STOP:
        machine_stop(monitor->machine);
        break;
    case CONTROL_COMMAND_WINDOW:
        machine_set_window(monitor->machine, command->rows, command->columns);
        break;
    case CONTROL_COMMAND_UNKNOWN:
        break; /* from a newer client */
    }
}

static void stop_without_clients(void *opaque)
{
    const struct monitor *monitor = opaque;

    machine_stop(monitor->machine);
}

static void handle_signal(void *opaque, uint32_t events)
{
    const struct monitor *monitor = opaque;

    (void)events;
    machine_stop(monitor->machine);
}

/* ---- life ---- */

static int read_spec(struct monitor *monitor, struct error *err)
{
    AUTO_CLOSE int fd = fd_table_take(&monitor->descriptors, "machine");
    AUTO_FREE char *json = calloc(1, SPEC_MAX);
    ssize_t size;

    if (!json)
        return error_set_errno(err, ENOMEM, "VM description");
    size = io_pread_full(fd, json, SPEC_MAX - 1, 0);
    if (size < 0)
        return error_set_errno(err, (int)-size, "VM description");
    return machine_spec_from_json(json, &monitor->spec, err);
}

/* SIGTERM ends the VM in order; a blocked signal waits in its descriptor. */
static int catch_signals(struct monitor *monitor, struct error *err)
{
    sigset_t signals;
    int rc;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGPIPE); /* blocked, so that a write returns EPIPE; never reported */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigdelset(&signals, SIGPIPE);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a disk error: EFBIG */
    monitor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (monitor->signal_fd < 0)
        return error_set_errno(err, errno, "signalfd");
    rc = event_loop_watch(monitor->loop, monitor->signal_fd, EPOLLIN | EPOLLET, handle_signal,
                          monitor);
    if (rc < 0)
        return error_set_errno(err, -rc, "signalfd");
    event_loop_make_urgent(monitor->loop, monitor->signal_fd);
    return 0;
}

/* The descriptors that the machine does not use, and the signals of this process. */
static int attach(struct monitor *monitor, struct machine_callbacks *host, struct error *err)
{
    event_loop_each_turn(monitor->loop, send_marks, monitor);
    monitor->console.fd = fd_table_take(&monitor->descriptors, "console-log");
    trace_pipe_init(&monitor->trace_pipe, fd_table_take(&monitor->descriptors, "trace"));
    host->console_fd = fd_table_take(&monitor->descriptors, "console");
    if (host->console_fd >= 0 && fcntl(host->console_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return error_set_errno(err, errno, "console stream");
    return catch_signals(monitor, err);
}

/* The largest file that devices and the console's log may make: a disk keeps its size. */
static void find_file_size_max(struct monitor *monitor)
{
    monitor->file_size_max = CONSOLE_LOG_FILE_MAX;
    for (unsigned i = 0; i < monitor->spec.disk_count; i++) {
        const struct machine_disk *disk = &monitor->spec.disks[i];
        struct stat status;

        if (!disk->read_only &&
            fstat(fd_table_find(&monitor->descriptors, disk->descriptor), &status) == 0 &&
            (uint64_t)status.st_size > monitor->file_size_max)
            monitor->file_size_max = (uint64_t)status.st_size;
    }
}

/* Called while there is no other thread. */
static int enter_jail(const char *text, struct error *err)
{
    struct jail_report report = {0};
    struct jail_plan plan;
    int rc = jail_plan_parse(text, &plan, err);

    if (rc < 0)
        return rc;
    rc = jail_enter(&plan, &report, err);
    if (rc < 0)
        return rc;
    for (int step = 0; step < JAIL_SYSCALLS; step++)
        if (!report.held[step])
            log_info("jail: without %s: %s", jail_step_title(step), report.why[step].text);
    /* If the client dies, so does its monitor, in whatever system call it waits; a change of user
     * has reset this. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return 0;
}

static int begin(struct monitor *monitor, const char *names, struct error *err)
{
    int rc = fd_table_receive(names, &monitor->descriptors, err);

    return rc < 0 ? rc : event_loop_create(&monitor->loop, err);
}

static int build(struct monitor *monitor, const char *names, const char *plan, struct error *err)
{
    struct machine_callbacks host = {
        .opaque = monitor,
        .descriptors = &monitor->descriptors,
        .console_fd = -1,
        .confine = confine,
        .stage = send_stage,
        .mark = on_mark,
        .console_output = on_console_output,
        .trace = trace,
    };
    int rc = begin(monitor, names, err);

    /* Also after a failure: reporting it uses the clients. */
    clients_init(&monitor->clients, monitor->loop, fd_table_take(&monitor->descriptors, "control"));
    monitor->clients.opaque = monitor;
    monitor->clients.handle_command = handle_command;
    monitor->clients.on_last_disconnect = stop_without_clients;
    if (rc < 0)
        return rc;
    rc = read_spec(monitor, err);
    if (rc < 0)
        return rc;
    rc = attach(monitor, &host, err);
    if (rc < 0)
        return rc;
    rc = enter_jail(plan, err);
    if (rc < 0)
        return rc;
    find_file_size_max(monitor);
    return machine_create(&monitor->spec, &host, monitor->loop, &monitor->machine, err);
}

static int run(struct monitor *monitor, struct error *err)
{
    int rc;

    clients_send(&monitor->clients, event_begin(monitor, CONTROL_EVENT_RUNNING));
    rc = machine_start(monitor->machine, err);
    if (rc < 0)
        return rc;
    if (!clients_accept_first(&monitor->clients, CLIENT_WAIT_MS))
        machine_stop(monitor->machine); /* no client is left */
    rc = clients_open(&monitor->clients, err);
    if (rc < 0)
        return rc;
    return event_loop_run(monitor->loop, err);
}

static void describe_reset(struct monitor *monitor, struct control_event *event)
{
    if (console_log_find_panic(event->console, event->text, sizeof(event->text))) {
        event->reason = MACHINE_PANIC;
        return;
    }
    snprintf(
        event->text, sizeof(event->text), "%s",
        monitor->console.written > 0
            ? "the guest reset itself"
            : "the guest reset itself and wrote nothing to its console; --earlycon shows what a "
              "kernel says before its console works");
}

static void send_end(struct monitor *monitor, const struct machine_end *end)
{
    struct control_event *event = event_begin(monitor, CONTROL_EVENT_COUNTS);

    event->at = CONTROL_COUNTS_END;
    machine_visit_counts(monitor->machine, add_count, event);
    if (monitor->spec.traced)
        add_count(event, "trace.dropped", monitor->trace_pipe.lost);
    clients_send(&monitor->clients, event);
    event = event_begin(monitor, CONTROL_EVENT_END);
    event->reason = end->reason;
    event->status = end->status;
    snprintf(event->text, sizeof(event->text), "%s", end->text);
    if (end->reason == MACHINE_RESET || end->reason == MACHINE_PANIC ||
        end->reason == MACHINE_ERROR)
        console_log_tail(&monitor->console, event->console);
    if (end->reason == MACHINE_RESET)
        describe_reset(monitor, event);
    else if (end->reason == MACHINE_PANIC &&
             !console_log_find_panic(event->console, event->text, sizeof(event->text)))
        snprintf(event->text, sizeof(event->text), "the guest reports that it panicked");
    clients_send(&monitor->clients, event);
}

static void send_error(struct monitor *monitor, const struct error *err)
{
    struct control_event *event = event_begin(monitor, CONTROL_EVENT_END);

    event->reason = MACHINE_ERROR;
    snprintf(event->text, sizeof(event->text), "%s", err->text);
    console_log_tail(&monitor->console, event->console);
    clients_send(&monitor->clients, event);
}

static void release(struct monitor *monitor)
{
    machine_destroy(monitor->machine);
    monitor->machine = NULL;
    clients_release(&monitor->clients);
    event_loop_destroy(monitor->loop);
    machine_spec_clear(&monitor->spec);
    fd_table_close(&monitor->descriptors);
    free(monitor);
}

static struct monitor *monitor_new(void)
{
    struct monitor *monitor = calloc(1, sizeof(*monitor));

    if (!monitor)
        return NULL;
    monitor->signal_fd = -1;
    monitor->console.fd = -1;
    pthread_mutex_init(&monitor->marks_lock, NULL);
    return monitor;
}

/* From the description to the last message. */
static int live(struct monitor *monitor, const char *names, const char *plan, struct error *err)
{
    const struct machine_end *end;
    int rc = build(monitor, names, plan, err);

    if (rc < 0)
        return rc;
    rc = run(monitor, err);
    if (rc < 0)
        machine_stop(monitor->machine);
    end = machine_finish(monitor->machine);
    if (rc < 0)
        return rc;
    send_end(monitor, end);
    return 0;
}

int monitor_main(const char *names, const char *plan)
{
    struct error err = ERROR_INIT;
    struct monitor *monitor;
    int rc;

    prctl(PR_SET_NAME, "microvm-monitor");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    mallopt(M_ARENA_MAX, 1); /* threads allocate almost nothing: no separate heaps */
    json_object_seed(1);     /* only our own JSON is parsed here: no random seed is needed */
    monitor = monitor_new();
    if (!monitor)
        return EXIT_FAILURE;
    rc = live(monitor, names, plan, &err);
    if (rc < 0) {
        send_error(monitor, &err);
        if (monitor->clients.client_count == 0 && monitor->loop)
            clients_accept_first(&monitor->clients, CLIENT_WAIT_MS);
    }
    release(monitor);
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
