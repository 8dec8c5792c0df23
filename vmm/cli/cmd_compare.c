/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `microvm compare`: one command of one image under each isolation, and what each costs.
 *
 * This file holds the command line, the files that the runs need, and the output of the report. The
 * runs and their results are in vmm/compare and vmm/trial.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"
#include "vmm/base/log.h"
#include "vmm/base/parse.h"
#include "vmm/base/program_file.h"
#include "vmm/base/terminal.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/image_argument.h"
#include "vmm/cli/options.h"
#include "vmm/cli/run_options.h"
#include "vmm/cli/vm_options.h"
#include "vmm/compare/compare.h"
#include "vmm/compare/cpio.h"
#include "vmm/container/instance.h"
#include "vmm/sandbox/registry.h"

#define RUNS_DEFAULT    5
#define COLUMNS_DEFAULT 100
#define COLUMNS_MIN     40
#define PROGRAM_MAX     (16U << 20) /* bytes of microvm-probes */

struct compare_options {
    const char *runs;
    const char *isolation;
    bool json;
    const char *html;
    bool costs;
    struct run_options run;
    struct string_list passed; /* those of `run`, as they were given */
};

#define AT(member) offsetof(struct compare_options, member)

static const struct option_row rows[] = {
    {'n', OPTION_TEXT, "runs", "RUNS",
     "warm runs under each isolation, and as many cold (default 5)", AT(runs)},
    {0, OPTION_TEXT, "isolation", "LIST",
     "isolations to run under, such as container,vm (default: all available)", AT(isolation)},
    {0, OPTION_FLAG, "json", NULL, "write one JSON object instead of the table", AT(json)},
    {0, OPTION_TEXT, "html", "FILE", "also write an HTML page with charts", AT(html)},
    {0, OPTION_FLAG, "costs", NULL, "measure calls, files and the VM even if COMMAND writes output",
     AT(costs)},
};

static const struct option_pass pass = {
    .table = &run_option_table,
    .offset = AT(run),
    .list_offset = AT(passed),
    .title = "Options of 'run', for every run",
    .refusal = run_option_refusal,
};

static const struct option_table table = {
    .usage = "compare [OPTIONS] IMAGE [COMMAND [ARGUMENT...]]",
    .about = "Runs the same command under each isolation, interleaved, and shows what each\n"
             "costs: time, memory, processor; if the command writes no output, also the cost of\n"
             "system calls and of file access.",
    .more =
        "Exit status: 0 when the command ran under at least one isolation, whatever its own "
        "status;\n"
        "128+N when signal N ended the comparison; 127 when the command is not found, 126 when it\n"
        "cannot be executed, 125 when nothing could be run for another reason.",
    .rows = rows,
    .count = ARRAY_LENGTH(rows),
    .pass = &pass,
};

/* The state of a comparison. */
struct compare {
    const struct compare_options *options;
    struct compare_request request;
    struct report report;
    char *image; /* the argument of `run`; owned */
    char *probes;
    int machine_fd; /* initramfs of the bare guest */
    int html_fd;
    bool html_new;
    int signal;
    int status; /* when nothing ran: 125 to 127 */
};

/* ---- the command line ------------------------------------------------------------------------ */

static int add_text(struct string_list *list, const char *name, const char *value)
{
    return value ? string_list_add_format(list, "--%s=%s", name, value) : 0;
}

static int check_options(struct compare *compare, struct error *err)
{
    const struct compare_options *options = compare->options;
    uint64_t runs = RUNS_DEFAULT;
    int rc =
        options->runs ? parse_u64(options->runs, "--runs", 1, COMPARE_RUNS_MAX, &runs, err) : 0;

    if (rc < 0)
        return rc;
    rc = sandbox_find_all(options->isolation, compare->request.sandboxes,
                          &compare->request.sandbox_count, err);
    if (rc < 0)
        return rc;
    if (string_list_add_all(&compare->request.options, &options->passed) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    compare->request.runs = (unsigned)runs;
    compare->request.costs = options->costs;
    compare->request.disk = options->run.disk > 0;
    return 0;
}

/* ---- the files that runs need ---------------------------------------------------------------- */

/* Finds the image now, so that a wrong name is reported once and a path is imported once. */
static int find_image(struct compare *compare, const char *text, struct error *err)
{
    AUTO_IMAGE struct image *image = NULL;
    struct reference reference;
    int rc = reference_parse(text, &reference, err);

    if (rc < 0)
        return rc;
    rc = image_argument_open(text, &image, err);
    if (rc < 0)
        return rc;
    if (asprintf(&compare->image, "%s",
                 reference.kind == REFERENCE_PATH ? image->config_digest : text) < 0)
        compare->image = NULL;
    compare->request.image = compare->image;
    if (!compare->image || string_list_add(&compare->request.files, image->root_path) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    return 0;
}

/* What a cold run has to read. A missing file is reported by the run that needs it. */
static int list_cold_files(struct compare *compare, struct error *err)
{
    const struct compare_options *options = compare->options;
    const struct {
        const struct program_file *file;
        const char *given;
    } files[] = {{&program_file_kernel, options->run.kernel},
                 {&program_file_initramfs, options->run.initramfs},
                 {&program_file_init, NULL},
                 {&program_file_crun, NULL}};

    if (string_list_add(&compare->request.files, "/proc/self/exe") < 0)
        return error_set_errno(err, ENOMEM, "compare");
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        AUTO_FREE char *path = NULL;

        if (program_file_find(files[i].file, files[i].given, &path, NULL) == 0 &&
            string_list_add(&compare->request.files, path) < 0)
            return error_set_errno(err, ENOMEM, "compare");
    }
    return 0;
}

/* The initramfs of the bare guest: microvm-probes as its init, in memory. */
static int make_initramfs(struct compare *compare, struct error *err)
{
    AUTO_FREE char *program = NULL;
    __attribute__((cleanup(cpio_release))) struct cpio cpio = {0};
    size_t size;
    int rc = io_read_file(AT_FDCWD, compare->probes, PROGRAM_MAX, &program, &size, err);

    if (rc < 0)
        return rc;
    rc = cpio_add_file(&cpio, "init", 0755, program, size, err);
    if (rc < 0)
        return rc;
    rc = cpio_finish(&cpio, err);
    if (rc < 0)
        return rc;
    compare->machine_fd = memfd_create("initramfs", MFD_CLOEXEC);
    rc = compare->machine_fd < 0 ? -errno : io_write_all(compare->machine_fd, cpio.data, cpio.size);
    return rc < 0 ? error_set_errno(err, -rc, "compare: initramfs in memory") : 0;
}

/* The arguments of `microvm boot` that measure the bare guest. */
static int make_machine(struct compare *compare, struct error *err)
{
    struct string_list *machine = &compare->request.machine;
    int rc = program_file_find(&program_file_probes, NULL, &compare->probes, err);

    if (rc < 0)
        return rc;
    compare->request.probes = compare->probes;
    rc = make_initramfs(compare, err);
    if (rc < 0)
        return rc;
    if (string_list_add(machine, "boot") < 0 ||
        string_list_add_format(machine, "--initrd=/proc/%d/fd/%d", (int)getpid(),
                               compare->machine_fd) < 0 ||
        string_list_add(machine, "--cmdline=quiet measure-machine") < 0 ||
        add_text(machine, "kernel", compare->options->run.kernel) < 0)
        return error_set_errno(err, ENOMEM, "compare");
    return 0;
}

/* Before the runs, which take long: a page that cannot be written is reported at once. */
static int open_html(struct compare *compare, struct error *err)
{
    const char *path = compare->options->html;

    if (!path)
        return 0;
    compare->html_new = access(path, F_OK) < 0;
    compare->html_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return compare->html_fd < 0 ? error_set_errno(err, errno, "--html: %s", path) : 0;
}

/* ---- the report ------------------------------------------------------------------------------ */

static void show_progress(const char *text)
{
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
}

static bool anything_ran(const struct report *report)
{
    for (size_t i = 0; i < report->sandbox_count; i++) {
        if (!report->sandboxes[i].reason[0])
            return true;
    }
    return false;
}

/* The exit status and the message: the command's own failure, else the reasons of all runs. */
static int nothing_ran(const struct report *report, int *status, struct error *err)
{
    char text[ERROR_TEXT_SIZE];
    size_t used = 0;
    bool same = true;

    for (size_t i = 0; i < report->sandbox_count; i++) {
        const struct report_sandbox *sandbox = &report->sandboxes[i];

        if (sandbox->no_command) {
            *status = sandbox->status;
            return error_set(err, ENOEXEC, "compare: the command did not run: %s", sandbox->reason);
        }
        same = same && strcmp(sandbox->reason, report->sandboxes[0].reason) == 0;
        if (used < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s: %s", i ? "; " : "",
                                     sandbox->kind->title, sandbox->reason);
    }
    *status = CLI_FAILURE;
    return error_set(err, ENOEXEC, "compare: the command did not run: %s",
                     same ? report->sandboxes[0].reason : text);
}

static unsigned table_columns(void)
{
    uint16_t rows_ignored;
    uint16_t columns;

    if (!terminal_size(STDOUT_FILENO, &rows_ignored, &columns))
        return COLUMNS_DEFAULT;
    return columns > COLUMNS_MIN ? columns : COLUMNS_MIN;
}

static int write_page(struct compare *compare, struct error *err)
{
    FILE *file = fdopen(compare->html_fd, "w");
    bool written;

    if (!file)
        return error_set_errno(err, errno, "--html: %s", compare->options->html);
    compare->html_fd = -1;
    written = ftruncate(fileno(file), 0) == 0;
    report_write_html(&compare->report, file);
    written = written && !ferror(file);
    if (fclose(file) != 0 || !written)
        return error_set(err, EIO, "--html: %s: cannot write the whole page",
                         compare->options->html);
    return 0;
}

static int write_report(struct compare *compare, struct error *err)
{
    const struct report *report = &compare->report;

    if (!anything_ran(report))
        return nothing_ran(report, &compare->status, err);
    if (compare->options->json) {
        int rc = report_write_json(report, stdout, err);

        if (rc < 0)
            return rc;
    } else {
        report_write_table(report, table_columns(), vm_options_is_utf8(), stdout);
    }
    return compare->html_fd >= 0 ? write_page(compare, err) : 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* All that the runs need, so that what is missing is found before they begin. */
static int prepare(struct compare *compare, int argc, char **argv, struct error *err)
{
    int rc = check_options(compare, err);

    if (rc < 0)
        return rc;
    rc = find_image(compare, argv[0], err);
    if (rc < 0)
        return rc;
    rc = list_cold_files(compare, err);
    if (rc < 0)
        return rc;
    rc = make_machine(compare, err);
    if (rc < 0)
        return rc;
    for (int i = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1; i < argc; i++) {
        if (string_list_add(&compare->request.command, argv[i]) < 0)
            return error_set_errno(err, ENOMEM, "compare");
    }
    return open_html(compare, err);
}

static int compare_all(struct compare *compare, int argc, char **argv, struct error *err)
{
    bool watched = isatty(STDERR_FILENO);
    AUTO_CLOSE int signal_fd = -1;
    sigset_t signals;
    int rc = prepare(compare, argc, argv, err);

    if (rc < 0)
        return rc;
    vm_options_block_signals(&signals);
    signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    compare->request.signal_fd = signal_fd;
    compare->request.progress = watched ? show_progress : NULL;
    rc = compare_run(&compare->request, &compare->report, &compare->signal, err);
    if (watched)
        fputs("\r\033[K", stderr);
    return rc < 0 ? rc : write_report(compare, err);
}

static void release(struct compare *compare)
{
    if (compare->machine_fd >= 0)
        close(compare->machine_fd);
    if (compare->html_fd >= 0) { /* nothing was written */
        close(compare->html_fd);
        if (compare->html_new)
            unlink(compare->options->html);
    }
    report_release(&compare->report);
    string_list_release(&compare->request.options);
    string_list_release(&compare->request.command);
    string_list_release(&compare->request.files);
    string_list_release(&compare->request.machine);
    free(compare->image);
    free(compare->probes);
}

int cli_compare(int argc, char **argv)
{
    struct compare_options options = {0};
    struct compare compare = {
        .options = &options, .machine_fd = -1, .html_fd = -1, .status = CLI_FAILURE};
    struct error err = ERROR_INIT;
    int status = 0;
    int first = options_parse(&table, argc, argv, &options, &err);

    if (first > 0 && first == argc)
        first = error_set(&err, EINVAL, "compare: no IMAGE given; see 'microvm compare --help'");
    if (first < 0 || (first > 0 && compare_all(&compare, argc - first, argv + first, &err) < 0)) {
        status = compare.signal ? 128 + compare.signal : compare.status;
        if (!compare.signal)
            log_error("%s", err.text);
        else
            instance_sweep(); /* a run that had to be killed */
    }
    release(&compare);
    string_list_release(&options.passed);
    run_options_release(&options.run);
    return status;
}
