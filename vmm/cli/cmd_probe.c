/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `microvm probe`: what an image could see and do under each isolation, and what stops it.
 *
 * This file holds the command line and the files that the runs need. The checks, the runs and the
 * verdicts are in vmm/probe and vmm/trial.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/log.h"
#include "vmm/base/program_file.h"
#include "vmm/base/terminal.h"
#include "vmm/cli/commands.h"
#include "vmm/cli/image_argument.h"
#include "vmm/cli/options.h"
#include "vmm/cli/vm_options.h"
#include "vmm/image/reference.h"
#include "vmm/machine/host_check.h"
#include "vmm/monitor/monitor.h"
#include "vmm/probe/probe.h"
#include "vmm/sandbox/registry.h"

#define MIB             (1ULL << 20)
#define HOG_MEMORY      (64 * MIB)
#define COLUMNS_DEFAULT 100

struct probe_options {
    bool json;
    bool verbose;
    uint64_t memory;
    const char *isolation;
};

#define AT(member) offsetof(struct probe_options, member)

static const struct option_row rows[] = {
    {0, OPTION_FLAG, "json", NULL, "write one JSON object instead of the table", AT(json)},
    {0, OPTION_FLAG, "verbose", NULL,
     "show evidence, what each check tries, side effects, lists of system calls", AT(verbose)},
    {'m', OPTION_SIZE, "memory", "SIZE", "memory of the sandbox, same as for 'run'", AT(memory)},
    {0, OPTION_TEXT, "isolation", "LIST",
     "isolations to run under, such as container,vm (default: all available)", AT(isolation)},
};

static const struct option_table table = {
    .usage = "probe [OPTIONS] IMAGE",
    .about = "Runs checks without side effects inside each sandbox, and shows each result and the\n"
             "layer that stopped it: namespace, cgroup, capability, seccomp, mount, hypervisor.",
    .more = "Exit status: 0 when at least one isolation could be tested; 128+N when signal N ended "
            "the\n"
            "checks; 125 when none could be tested.",
    .rows = rows,
    .count = ARRAY_LENGTH(rows),
};

/* The image as the argument of `run`; a path is imported once. The caller frees *name. */
static int find_image(const char *text, char **name, struct error *err)
{
    AUTO_IMAGE struct image *image = NULL;
    struct reference reference;
    int rc = reference_parse(text, &reference, err);

    if (rc < 0)
        return rc;
    rc = image_argument_open(text, &image, err);
    if (rc < 0)
        return rc;
    if (asprintf(name, "%s", reference.kind == REFERENCE_PATH ? image->config_digest : text) < 0)
        return error_set_errno(err, ENOMEM, "probe");
    return 0;
}

static int write_report(const struct probe_options *options, const struct probe_report *report,
                        struct error *err)
{
    struct probe_style style = {
        .columns = COLUMNS_DEFAULT,
        .utf8 = vm_options_is_utf8(),
        .verbose = options->verbose,
    };
    size_t tested = 0;
    uint16_t rows_ignored;
    uint16_t columns;

    for (size_t i = 0; i < report->sandbox_count; i++)
        tested += !report->why[i][0];
    if (tested == 0) {
        for (size_t i = 0; i < report->sandbox_count; i++)
            log_error("probe: %s: %s", report->sandboxes[i]->name, report->why[i]);
        return error_set(err, ENOEXEC, "probe: no isolation could be tested");
    }
    if (options->json)
        return probe_write_json(report, stdout, err);
    if (terminal_size(STDOUT_FILENO, &rows_ignored, &columns))
        style.columns = columns;
    probe_show(report, &style, stdout);
    return 0;
}

static struct probe_thread_calls calls[PROBE_THREADS] = {{.thread = "vcpu"}, {.thread = "loop"}};

static int probe(const struct probe_options *options, const char *image,
                 struct probe_report *report, struct error *err)
{
    AUTO_FREE char *program = NULL;
    AUTO_FREE char *name = NULL;
    AUTO_CLOSE int signal_fd = -1;
    struct probe_request request = {
        .memory_bytes = options->memory,
        .hog_memory_bytes = align_up(host_memory_minimum(), MIB),
        .monitor_calls = calls,
    };
    sigset_t signals;
    int rc = sandbox_find_all(options->isolation, request.sandboxes, &request.sandbox_count, err);

    if (rc < 0)
        return rc;
    rc = find_image(image, &name, err);
    if (rc < 0)
        return rc;
    rc = program_file_find(&program_file_probes, NULL, &program, err);
    if (rc < 0)
        return rc;
    calls[0].count = monitor_thread_calls(MACHINE_THREAD_VCPU, calls[0].calls, PROBE_CALLS_MAX);
    calls[1].count = monitor_thread_calls(MACHINE_THREAD_LOOP, calls[1].calls, PROBE_CALLS_MAX);
    if (request.hog_memory_bytes < HOG_MEMORY)
        request.hog_memory_bytes = HOG_MEMORY;
    request.image = name;
    request.program = program;
    vm_options_block_signals(&signals);
    signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    request.signal_fd = signal_fd;
    rc = probe_run(&request, report, err);
    report->image = image;
    return rc < 0 || report->interrupted ? rc : write_report(options, report, err);
}

int cli_probe(int argc, char **argv)
{
    static struct probe_report report;
    struct probe_options options = {0};
    struct error err = ERROR_INIT;
    int first = options_parse(&table, argc, argv, &options, &err);

    if (first == 0)
        return 0;
    if (first == argc)
        first = error_set(&err, EINVAL, "probe: no IMAGE given; see 'microvm probe --help'");
    else if (first > 0 && first + 1 < argc)
        first = error_set(&err, EINVAL,
                          "probe: unexpected argument '%s'; give one IMAGE and no command",
                          argv[first + 1]);
    if (first < 0 || probe(&options, argv[first], &report, &err) < 0) {
        log_error("%s", err.text);
        return CLI_FAILURE;
    }
    return report.interrupted ? 128 + report.interrupted : 0;
}
