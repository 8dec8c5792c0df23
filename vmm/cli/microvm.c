/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands, and the dispatch to one of them.
 *
 * Users wait for the start-up: no locale, no configuration file, and no file is opened before a
 * command needs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/table.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/suggest.h"
#include "vmm/container/instance.h"
#include "vmm/monitor/monitor.h"

#define NULL_DEVICE    "/dev/null"
#define OPEN_FILES_MIN 64 /* more than a run opens at once */

struct command {
    const char *name;
    const char *summary;
    int (*function)(int argc, char **argv);
    bool works; /* before it, the host is checked and dead instances are removed */
};

static const struct command commands[] = {
    {"run", "run a command of a container image in a VM of its own", cli_run, true},
    {"boot", "boot a bare kernel, without image or container", cli_boot, true},
    {"compare", "run a command under each isolation, and show what each costs", cli_compare, true},
    {"probe", "check what each isolation lets a command see and do, and what stops it", cli_probe,
     true},
    {"image", "load, list and remove images", cli_image, true},
    {"doctor", "check what a run needs, and how to fix it", cli_doctor, true},
    {"version", "show version and build", cli_version, false},
    {"help", "show help of microvm or of one command", cli_help, false},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int command_unknown(const char *name)
{
    const char *names[ARRAY_LENGTH(commands)];
    const char *nearest;

    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
        names[i] = commands[i].name;
    nearest = suggest_nearest(name, names, ARRAY_LENGTH(names));
    if (nearest)
        log_error("unknown command '%s'; did you mean '%s'? 'microvm help' lists all", name,
                  nearest);
    else
        log_error("unknown command '%s'; 'microvm help' lists all", name);
    return CLI_FAILURE;
}

static void print_overview(FILE *out)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT, 11}, {NULL, TABLE_LEFT, 0}};
    AUTO_TABLE struct table table = {
        .columns = columns, .column_count = ARRAY_LENGTH(columns), .gap = 1};

    fputs("Usage: microvm COMMAND [OPTIONS] [ARGUMENTS]\n\n"
          "Runs container images, each inside a virtual machine of its own.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        table_add(&table, "  %s", commands[i].name);
        table_add(&table, "%s", commands[i].summary);
    }
    (void)table_write(&table, out); /* the output shows a failure */
    fputs("\nFor more, see 'microvm help COMMAND', 'microvm COMMAND --help' or 'man microvm'.\n",
          out);
}

int cli_help(int argc, char **argv)
{
    char help_option[] = "--help";
    const struct command *command;

    if (argc < 2 || argv[1][0] == '-') {
        print_overview(stdout);
        return 0;
    }
    command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    if (command->function == cli_help) {
        fputs("Usage: microvm help [COMMAND]\n", stdout);
        return 0;
    }
    return command->function(2, (char *[]){argv[1], help_option, NULL});
}

/*
 * What every command that does something needs: what is missing is reported here, in one line.
 */
static int check_surroundings(struct error *err)
{
    struct rlimit files = {0};
    struct stat status;

    if (access("/proc/self/exe", F_OK) < 0)
        return error_set(err, ENOENT,
                         "/proc is not mounted, and microvm needs it; mount it with: mount -t proc "
                         "proc /proc");
    if (stat(NULL_DEVICE, &status) < 0)
        return error_set(err, errno,
                         NULL_DEVICE ": %s; create it with: mknod -m 666 " NULL_DEVICE " c 1 3",
                         strerror(errno));
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3) ||
        access(NULL_DEVICE, R_OK | W_OK) < 0)
        return error_set(err, EINVAL,
                         NULL_DEVICE " is not the null device, or cannot be opened; create it "
                                     "with: mknod -m 666 " NULL_DEVICE " c 1 3");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < OPEN_FILES_MIN) {
        files.rlim_cur = files.rlim_max < OPEN_FILES_MIN ? files.rlim_max : OPEN_FILES_MIN;
        if (files.rlim_cur < OPEN_FILES_MIN || setrlimit(RLIMIT_NOFILE, &files) < 0)
            return error_set(
                err, EMFILE,
                "only %llu open files are allowed (ulimit -n); microvm needs at least %d",
                (unsigned long long)files.rlim_max, OPEN_FILES_MIN);
    }
    return 0;
}

static int dispatch(int argc, char **argv)
{
    const struct command *command;
    struct error err = ERROR_INIT;

    if (argc < 2) {
        print_overview(stderr);
        return CLI_FAILURE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_help(1, argv);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)
        return cli_version(1, argv);
    command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    if (command->works) {
        if (check_surroundings(&err) < 0) {
            log_error("%s", err.text);
            return CLI_FAILURE;
        }
        instance_sweep();
    }
    return command->function(argc - 1, argv + 1);
}

/* If 0, 1 or 2 is closed, a file that microvm opens would get its number, and a guest's output. */
static bool open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open(NULL_DEVICE, O_RDWR) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    int status;

    if (argc == 5 && strcmp(argv[1], "__monitor") == 0)
        return monitor_main(argv[3], argv[4]); /* started by monitor_launch() */
    if (!open_standard_streams()) {
        log_error("a standard stream is closed, and " NULL_DEVICE " cannot replace it: %s",
                  strerror(errno));
        return CLI_FAILURE;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow gives EFBIG, an error like others */
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would hide the exit statuses of children */
    status = dispatch(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("standard output: cannot write");
        return CLI_FAILURE;
    }
    return status;
}
