/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `microvm boot`: a bare kernel with its console on this terminal.
 *
 * The console is a stream socket to the monitor. Two relays carry it, one a direction; the loop
 * ends when the monitor has closed its side and everything it sent is written out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/program_file.h"
#include "vmm/base/string_list.h"
#include "vmm/base/terminal.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/console_relay.h"
#include "vmm/cli/options.h"
#include "vmm/cli/report_fd.h"
#include "vmm/cli/vm_options.h"
#include "vmm/container/instance.h"
#include "vmm/machine/guest_files.h"
#include "vmm/machine/host_check.h"
#include "vmm/machine/kvm.h"
#include "vmm/monitor/monitor_client.h"

#define BOOT_ESCAPE 0x1d /* Ctrl-] */

struct boot_options {
    const char *kernel;
    const char *initrd;
    const char *command_line;
    const char *name;
    struct string_list disks;
    uint64_t memory;
    const char *cpus;
    const char *timeline;
    const char *jail;
    const char *jail_uid;
    bool earlycon;
    const char *report_fd;
};

#define AT(member) offsetof(struct boot_options, member)

static const struct option_row rows[] = {
    {0, OPTION_TEXT, "kernel", "FILE", "kernel: vmlinux or bzImage (default: the bundled kernel)",
     AT(kernel)},
    {0, OPTION_TEXT, "initrd", "FILE",
     "initial file system (cpio; compressed, if the kernel can unpack it)", AT(initrd)},
    {0, OPTION_LIST, "disk", "FILE[:ro]",
     "raw disk image; may be repeated: /dev/vda, /dev/vdb, ...", AT(disks)},
    {0, OPTION_TEXT, "cmdline", "TEXT", "added to the kernel command line, such as 'loglevel=7'",
     AT(command_line)},
    {'m', OPTION_SIZE, "memory", "SIZE", VM_OPTIONS_MEMORY_HELP, AT(memory)},
    {0, OPTION_TEXT, "cpus", "NUMBER", "processors (default 1)", AT(cpus)},
    {0, OPTION_TEXT, "name", "NAME", "name of the instance (default: two random words)", AT(name)},
    {0, OPTION_OPTIONAL, "timeline", VM_OPTIONS_TIMELINE_VALUE, VM_OPTIONS_TIMELINE_HELP,
     AT(timeline)},
    {0, OPTION_TEXT, "jail", VM_OPTIONS_JAIL_VALUE, VM_OPTIONS_JAIL_HELP, AT(jail)},
    {0, OPTION_TEXT, "jail-uid", "FIRST", VM_OPTIONS_JAIL_UID_HELP, AT(jail_uid)},
    {0, OPTION_FLAG, "earlycon", NULL,
     "early serial port, for a kernel that dies before its console", AT(earlycon)},
    REPORT_FD_ROW(AT(report_fd)),
};

static const struct option_table table = {
    .usage = "boot [OPTIONS]",
    .about = "Boots a bare kernel, without image or container, with its console on this terminal.\n"
             "Ctrl-] ends the VM.",
    .more =
        "Exit status: what the guest passed to the doorbell's exit call; 0 after power-off or\n"
        "Ctrl-]; 128+N when signal N ended microvm; 125 after a panic, a reset, or when microvm\n"
        "itself fails.",
    .rows = rows,
    .count = ARRAY_LENGTH(rows),
};

struct boot {
    struct timeline timeline;
    struct instance instance;
    struct monitor_client monitor;
    struct machine_spec spec;
    struct fd_table descriptors; /* until the monitor has them */
    const char *initrd;          /* its path, NULL = none */
    struct monitor_jail jail;
    struct relay output;
    struct relay input;
    int console_fd; /* our side */
    int signal_fd;
    struct terminal terminal; /* standard input, when it is one */
    bool escaped;             /* Ctrl-] */
    int signal;               /* number of the one that ended this process, 0 = none */
    bool abandoned;           /* by a second signal: the monitor is not waited for either */
};

/* ---- the command line ------------------------------------------------------------------------ */

static int add_disk(struct boot *boot, const char *text, struct error *err)
{
    size_t length = strlen(text);
    bool read_only = length > 3 && strcmp(text + length - 3, ":ro") == 0;
    AUTO_FREE char *path = strndup(text, read_only ? length - 3 : length);
    AUTO_CLOSE int fd = -1;
    char serial[16];
    int rc;

    if (!path)
        return error_set_errno(err, ENOMEM, "--disk");
    fd = guest_files_open_disk(path, read_only, err);
    if (fd < 0)
        return error_wrap(err, fd, "--disk");
    snprintf(serial, sizeof(serial), "disk%u", boot->spec.disk_count);
    rc = machine_spec_add_disk(&boot->spec, &boot->descriptors, fd, path, read_only, serial, err);
    if (rc < 0)
        return error_wrap(err, rc, "--disk: %s", path);
    steal_fd(&fd);
    return 0;
}

/* Adds what a function has opened, unless that has failed. */
static int add_descriptor(struct boot *boot, const char *name, int fd, struct error *err)
{
    return fd < 0 ? fd : fd_table_add(&boot->descriptors, name, fd, err);
}

static int open_kernel(struct boot *boot, const struct boot_options *options, struct error *err)
{
    int rc = program_file_find(&program_file_kernel, options->kernel, &boot->spec.kernel_name, err);

    if (rc < 0)
        return rc;
    rc = add_descriptor(boot, "kernel", guest_files_open_kernel(boot->spec.kernel_name, err), err);
    if (rc < 0 || !options->initrd)
        return rc;
    return add_descriptor(boot, "initramfs", guest_files_open_initramfs(options->initrd, err), err);
}

/* How a file is compressed, by its first bytes; NULL = in no way that Linux knows. */
static const char *compression_of(const char *path)
{
    static const struct {
        const char *name, *magic;
        size_t size;
    } kinds[] = {
        {"gzip", "\x1f\x8b", 2},        {"bzip2", "BZh", 3},
        {"xz", "\xfd\x37zXZ\0", 6},     {"zstd", "\x28\xb5\x2f\xfd", 4},
        {"lz4", "\x02\x21\x4c\x18", 4}, {"lz4", "\x04\x22\x4d\x18", 4},
        {"lzma", "\x5d\0\0", 3},        {"lzo", "\x89LZO", 4},
    };
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char start[6];
    ssize_t size = fd < 0 ? 0 : io_pread_full(fd, start, sizeof(start), 0);

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (size >= (ssize_t)kinds[i].size && memcmp(start, kinds[i].magic, kinds[i].size) == 0)
            return kinds[i].name;
    }
    return NULL;
}

static int check_options(const struct boot_options *options, struct boot *boot, struct error *err)
{
    struct machine_spec *spec = &boot->spec;
    uint32_t millicpus = 0;
    int rc = vm_options_timeline_check(options->timeline, err);

    if (rc < 0)
        return rc;
    rc = options->name ? instance_check_name(options->name, err) : 0;
    if (rc < 0)
        return rc;
    rc = vm_options_memory(options->memory, false, &spec->memory_bytes, err);
    if (rc < 0)
        return rc;
    rc = vm_options_cpus(options->cpus, &spec->vcpu_count, &millicpus, err);
    if (rc < 0)
        return rc;
    rc = vm_options_jail(options->jail, options->jail_uid, &boot->jail, err);
    if (rc < 0)
        return rc;
    if (millicpus % 1000 > 0)
        return error_set(err, EINVAL, "--cpus: %s: a bare kernel gets whole processors only",
                         options->cpus);
    return 0;
}

static int make_spec(const struct boot_options *options, struct boot *boot, struct error *err)
{
    struct machine_spec *spec = &boot->spec;
    int rc = check_options(options, boot, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < options->disks.count; i++) {
        rc = add_disk(boot, options->disks.items[i], err);
        if (rc < 0)
            return rc;
    }
    rc = open_kernel(boot, options, err);
    if (rc < 0)
        return rc;
    spec->command_line = strdup(options->command_line ? options->command_line : "");
    if (!spec->command_line)
        return error_set_errno(err, ENOMEM, "boot");
    spec->earlycon = options->earlycon;
    return 0;
}

/* ---- commands to the monitor ----------------------------------------------------------------- */

static void send_window(const struct boot *boot)
{
    uint16_t height;
    uint16_t width;

    if (terminal_size(STDIN_FILENO, &height, &width))
        monitor_client_send_window(&boot->monitor, height, width);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_output(struct boot *boot)
{
    if (relay_step(&boot->output) > 0 && boot->timeline.at_ns[TIMELINE_FIRST_BYTE] == 0) {
        timeline_note(&boot->timeline, TIMELINE_FIRST_BYTE, io_now_ns());
        if (boot->terminal.raw)
            send_window(boot); /* again: Linux reads the size only after a change */
    }
    if (boot->output.write_error)
        boot->signal = SIGPIPE; /* same as for any program whose reader has gone */
}

static void on_input(struct boot *boot)
{
    size_t count = relay_step(&boot->input);
    const char *escape =
        boot->terminal.raw && count > 0 ? memchr(boot->input.buffer, BOOT_ESCAPE, count) : NULL;

    if (escape) {
        boot->input.used = (size_t)(escape - boot->input.buffer);
        boot->escaped = true;
    }
    if (boot->input.ended && !boot->input.write_error)
        shutdown(boot->console_fd, SHUT_WR);
}

static void on_signal(struct boot *boot)
{
    struct signalfd_siginfo info;

    if (read(boot->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGWINCH) {
        send_window(boot);
    } else {
        boot->abandoned = boot->signal != 0;
        boot->signal = (int)info.ssi_signo;
    }
}

static int on_control(struct boot *boot, struct error *err)
{
    struct control_event event;
    int rc = monitor_client_receive(&boot->monitor, &event, err);

    if (rc > 0)
        timeline_note_event(&boot->timeline, &event);
    return rc < 0 ? rc : 0;
}

enum { POLL_OUTPUT, POLL_INPUT, POLL_SIGNAL, POLL_CONTROL, POLL_COUNT };

static int boot_wait(struct boot *boot, struct error *err)
{
    bool stopping = false;
    int rc;

    while (!boot->monitor.ended || !boot->output.ended) {
        struct pollfd polls[POLL_COUNT] = {
            [POLL_OUTPUT] = relay_poll(&boot->output),
            [POLL_INPUT] = relay_poll(&boot->input),
            [POLL_SIGNAL] = {.fd = boot->signal_fd, .events = POLLIN},
            [POLL_CONTROL] = {.fd = monitor_client_fd(&boot->monitor), .events = POLLIN},
        };

        if (poll(polls, POLL_COUNT, monitor_link_patience_ms(&boot->monitor.link)) < 0 &&
            errno != EINTR)
            return error_set_errno(err, errno, "boot: poll");
        if (polls[POLL_OUTPUT].revents)
            on_output(boot);
        if (polls[POLL_INPUT].revents)
            on_input(boot);
        if (polls[POLL_SIGNAL].revents)
            on_signal(boot);
        rc = polls[POLL_CONTROL].revents ? on_control(boot, err) : 0;
        if (rc < 0)
            return rc;
        if ((boot->signal || boot->escaped) && !stopping) {
            stopping = true;
            monitor_client_stop(&boot->monitor);
        }
        if (boot->abandoned || (boot->signal && stopping && boot->monitor.ended))
            break; /* do not wait for the reader of our output */
        if (monitor_link_is_overdue(&boot->monitor.link))
            break;
    }
    return 0;
}

/* Starts the monitor; the console's other side becomes its own whatever is returned. */
static int launch(struct boot *boot, int console_fd, struct error *err)
{
    const struct monitor_launch launch = {
        .directory = boot->instance.directory,
        .directory_fd = boot->instance.directory_fd,
        .lock_fd = boot->instance.lock_fd,
        .control_listener = &boot->instance.control_listener,
        .trace_fd = -1,
        .jail = boot->jail,
        .spec = &boot->spec,
        .descriptors = &boot->descriptors,
    };
    int rc = add_descriptor(boot, "console", console_fd, err);

    if (rc < 0)
        return rc;
    rc = add_descriptor(boot, "kvm", kvm_open(err), err);
    if (rc < 0)
        return rc;
    return monitor_launch(&launch, &boot->monitor.link, err);
}

static int boot_start(struct boot *boot, struct error *err)
{
    int pair[2];
    sigset_t set;
    int rc;

    vm_options_block_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    boot->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (boot->signal_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set_errno(err, errno, "boot");
    boot->console_fd = pair[0];
    rc = launch(boot, pair[1], err);
    fd_table_close(&boot->descriptors);
    if (rc < 0)
        return rc;
    timeline_note(&boot->timeline, TIMELINE_MONITOR, io_now_ns());
    boot->output = (struct relay){.from = boot->console_fd, .to = STDOUT_FILENO};
    boot->input = (struct relay){.from = STDIN_FILENO, .to = boot->console_fd};
    terminal_make_raw(STDIN_FILENO, &boot->terminal);
    if (boot->terminal.raw)
        send_window(boot);
    return 0;
}

static int boot_failure(const struct boot *boot, struct error *err)
{
    const struct control_event *end = &boot->monitor.end;
    static const char *const meanings[] = {
        [MACHINE_EXIT] = "",
        [MACHINE_POWER_OFF] = "",
        [MACHINE_RESET] = "the guest has reset the VM",
        [MACHINE_PANIC] = "the guest's kernel has panicked",
        [MACHINE_STOPPED] = "the VM was stopped",
        [MACHINE_ERROR] = "the VM failed",
    };
    const char *compression =
        end->reason == MACHINE_PANIC && boot->initrd ? compression_of(boot->initrd) : NULL;

    if (compression && !strstr(end->text, "unpacking"))
        return error_set(
            err, EIO,
            "%s: %s; --initrd is compressed with %s, which the kernel may not support: "
            "give it uncompressed",
            meanings[end->reason], end->text, compression);
    return error_set(err, EIO, "%s%s%s", meanings[end->reason], end->text[0] ? ": " : "",
                     end->text);
}

/* The exit status of a VM that has ended, or an error. */
static int boot_result(const struct boot *boot, int monitor_status, int *status, struct error *err)
{
    if (boot->output.read_error)
        return error_set_errno(err, boot->output.read_error, "cannot read the guest's console");
    if (boot->output.write_error && boot->output.write_error != EPIPE)
        return error_set_errno(err, boot->output.write_error, "cannot write the console's output");
    if (boot->signal) {
        *status = 128 + boot->signal;
        return 0;
    }
    if (boot->escaped) {
        *status = 0;
        return 0;
    }
    if (!boot->monitor.end_known && WIFSIGNALED(monitor_status))
        return error_set(err, ECHILD, "the monitor process was ended by signal %d (%s)",
                         WTERMSIG(monitor_status), strsignal(WTERMSIG(monitor_status)));
    if (!boot->monitor.end_known)
        return error_set(err, ECHILD, "the monitor process ended unexpectedly, with status %d",
                         WEXITSTATUS(monitor_status));
    switch (boot->monitor.end.reason) {
    case MACHINE_EXIT:
        *status = boot->monitor.end.status;
        return 0;
    case MACHINE_POWER_OFF:
        *status = 0;
        return 0;
    case MACHINE_RESET:
    case MACHINE_PANIC:
    case MACHINE_STOPPED:
    case MACHINE_ERROR:
        break;
    }
    return boot_failure(boot, err);
}

static int boot_start_and_wait(struct boot *boot, struct error *err)
{
    int rc = boot_start(boot, err);

    return rc < 0 ? rc : boot_wait(boot, err);
}

static int boot_machine(struct boot *boot, int *status, struct error *err)
{
    int rc = boot_start_and_wait(boot, err);
    int monitor_status;

    terminal_restore(&boot->terminal);
    monitor_status = monitor_link_reap(&boot->monitor.link);
    cleanup_close(&boot->console_fd);
    cleanup_close(&boot->signal_fd);
    return rc < 0 ? rc : boot_result(boot, monitor_status, status, err);
}

static int boot_instance(const struct boot_options *options, struct boot *boot, int *status,
                         struct error *err)
{
    int rc = make_spec(options, boot, err);

    if (rc < 0)
        return rc;
    rc = host_require_kvm(err);
    if (rc < 0)
        return rc;
    vm_options_block_signals(NULL);
    rc = instance_create(options->name, &boot->instance, err);
    if (rc < 0)
        return rc;
    rc = boot_machine(boot, status, err);
    instance_destroy(&boot->instance);
    timeline_note(&boot->timeline, TIMELINE_END, io_now_ns());
    vm_options_timeline_write(&boot->timeline, options->timeline);
    return rc;
}

static int boot_run(const struct boot_options *options, int *status, struct error *err)
{
    struct boot boot = {
        .instance = INSTANCE_INIT,
        .monitor = MONITOR_CLIENT_INIT,
        .initrd = options->initrd,
        .console_fd = -1,
        .signal_fd = -1,
    };
    int rc;

    timeline_note(&boot.timeline, TIMELINE_COMMAND, io_now_ns());
    rc = boot_instance(options, &boot, status, err);
    fd_table_close(&boot.descriptors);
    machine_spec_clear(&boot.spec);
    return rc;
}

int cli_boot(int argc, char **argv)
{
    struct boot_options options = {0};
    struct error err = ERROR_INIT;
    int status = CLI_FAILURE;
    int report_fd = -1;
    int first = options_parse(&table, argc, argv, &options, &err);

    if (first > 0 && report_fd_take(options.report_fd, &report_fd, &err) < 0)
        first = -EINVAL;
    if (first > 0 && first < argc)
        first = error_set(&err, EINVAL, "boot: unexpected argument '%s'; see 'microvm boot --help'",
                          argv[first]);
    if (first == 0) {
        status = 0;
    } else if (first < 0 || boot_run(&options, &status, &err) < 0) {
        log_error("%s", err.text);
        status = CLI_FAILURE;
    }
    report_fd_write(report_fd, err.code ? RUN_SANDBOX : RUN_STARTED, status,
                    err.code ? err.text : NULL);
    string_list_release(&options.disks);
    return status;
}
