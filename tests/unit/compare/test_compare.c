/* SPDX-License-Identifier: Apache-2.0 */
/* Runs are interleaved, a sandbox that fails has its reason in its column, and the output of
 * microvm-probes is untrusted data. The program that is run is this one, a fake `microvm` when its
 * arguments are those of a subcommand. */
#include <stdlib.h>

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/compare/compare.h"
#include "vmm/trial/run_record.h"

/* ---- the fake: writes its arguments to the file TEST_COMPARE_LOG ----------------------------- */

static bool has(int argc, char **argv, const char *text)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], text, strlen(text)) == 0)
            return true;
    }
    return false;
}

static void say_measures(void)
{
    puts("{\"measure\":\"syscall\",\"ps\":1500}");
    puts("   {\"measure\":\"syscall\",\"ps\":2500}");
    puts("{\"measure\":\"syscall\",\"ps\":-1}");
    puts("{\"measure\":\"syscall\",\"ps\":0}");
    puts("{\"measure\":\"syscall\",\"ps\":1e300}");
    puts("{\"measure\":\"syscall\",\"ps\":9223372036854775807}");
    puts("{\"measure\":\"syscall\",\"bytes_per_second\":7}");
    puts("{\"measure\":\"nonsense\",\"ps\":7}");
    puts("{\"measure\":7,\"ps\":7}");
    puts("[[[[");
    puts("\"text\"");
    puts("{\"measure\":\"pipe\",\"error\":\"no\\u001b[2J\\u202epipe\"}");
    puts("{\"measure\":\"root_read\",\"remark\":\"<b>\\u0007\"}");
    puts("{\"measure\":\"root_read\",\"remark\":\"<b>\\u0007\"}");
}

static void fake_record(int argc, char **argv, enum run_stage stage, int status, const char *reason)
{
    struct run_record record = {.stage = stage, .status = status};

    snprintf(record.reason, sizeof(record.reason), "%s", reason);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--report-fd=", 12) == 0)
            run_record_write(atoi(argv[i] + 12), &record);
    }
}

static int fake(int argc, char **argv)
{
    int status = has(argc, argv, "--isolation=vm") ? 3 : 0;

    FILE *log = fopen(getenv("TEST_COMPARE_LOG"), "ae");

    if (log) {
        fputs(has(argc, argv, "boot")               ? "b"
              : has(argc, argv, "--isolation=vm")   ? "v"
              : has(argc, argv, "--isolation=gvis") ? "g"
                                                    : "c",
              log);
        fclose(log);
    }
    if (has(argc, argv, "--isolation=gvisor")) {
        fake_record(argc, argv, RUN_OPTIONS, 125, "runsc: is not there");
        return 125;
    }
    if (has(argc, argv, "boot"))
        puts("{\"measure\":\"hypercall\",\"ps\":4000}");
    else if (has(argc, argv, "--program="))
        say_measures();
    /* The user's choice of a program is not for the measures, and a runtime not for a VM. */
    if (has(argc, argv, "--program=/nonexistent/probes") && has(argc, argv, "--entrypoint="))
        status = 9;
    if (has(argc, argv, "--isolation=vm") && has(argc, argv, "--runtime="))
        status = 9;
    fake_record(argc, argv, RUN_STARTED, status, "");
    return status;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static char log_path[] = "/tmp/test_compare.XXXXXX";

static const struct report_cell *cell(const struct report *report, const char *id, size_t sandbox)
{
    for (size_t i = 0; i < report->row_count; i++) {
        if (strcmp(report->rows[i].id, id) == 0)
            return &report->rows[i].cells[sandbox];
    }
    fail_msg("no row %s", id);
    return NULL;
}

static bool has_note(const struct report *report, const char *note)
{
    unsigned count = 0;

    for (size_t i = 0; i < report->notes.count; i++)
        count += strcmp(report->notes.items[i], note) == 0;
    return count == 1;
}

static void make_request(struct compare_request *request)
{
    *request = (struct compare_request){
        .sandboxes = {&sandbox_container, &sandbox_vm, &sandbox_gvisor},
        .sandbox_count = 3,
        .runs = 2,
        .image = "busybox",
        .probes = "/nonexistent/probes",
        .signal_fd = -1,
    };
    assert_int_equal(string_list_add(&request->command, "true"), 0);
    assert_int_equal(string_list_add(&request->options, "--entrypoint=sh"), 0);
    assert_int_equal(string_list_add(&request->options, "--runtime=runc"), 0);
    assert_int_equal(string_list_add(&request->machine, "boot"), 0);
}

static void release_request(struct compare_request *request)
{
    string_list_release(&request->command);
    string_list_release(&request->options);
    string_list_release(&request->machine);
}

static void runs_are_interleaved(void **state)
{
    struct compare_request request;
    struct report report;
    char order[64] = "";
    int signal;
    FILE *log;

    (void)state;
    make_request(&request);
    assert_int_equal(truncate(log_path, 0), 0);
    assert_int_equal(compare_run(&request, &report, &signal, NULL), 0);
    log = fopen(log_path, "re");
    assert_non_null(log);
    assert_non_null(fgets(order, sizeof(order), log));
    fclose(log);
    /* Each once unmeasured; gvisor no more; warm, cold, warm, cold in rotating order; the measures
     * four times, then with --disk, then the machine. */
    assert_string_equal(order, "cvg"
                               "cvcv"
                               "vcvc"
                               "cvvccvcv"
                               "cvvccvcv"
                               "b");
    assert_int_equal(cell(&report, "warm.run", 0)->count, 2);
    assert_int_equal(cell(&report, "cold.run", 1)->count, 2);
    assert_string_equal(report.sandboxes[2].reason, "runsc: is not there");
    assert_int_equal(cell(&report, "warm.run", 2)->count, 0);
    assert_string_equal(cell(&report, "warm.run", 2)->note, "did not run");
    assert_true(has_note(&report, "gVisor did not run: runsc: is not there"));
    assert_true(has_note(&report, "micro-VM: the command ended with status 3"));
    assert_true(has_note(&report, "the exit status differs: container 0, micro-VM 3"));
    report_release(&report);
    release_request(&request);
}

static void untrusted_results_are_checked(void **state)
{
    struct compare_request request;
    struct report report;
    int signal;

    (void)state;
    make_request(&request);
    request.runs = 1;
    request.costs = true;
    request.disk = true; /* so without the runs with --disk */
    assert_int_equal(compare_run(&request, &report, &signal, NULL), 0);
    assert_int_equal(cell(&report, "syscall", 0)->count, 4); /* medians of 1.5 and 2.5 */
    assert_true(cell(&report, "syscall", 0)->summary.minimum == 2);
    assert_true(cell(&report, "syscall", 0)->summary.maximum == 2);
    assert_string_equal(cell(&report, "pipe", 0)->note, "not measured: no?[2J?pipe");
    assert_true(has_note(&report, "root: read: <b>?"));
    assert_int_equal(cell(&report, "hypercall", 1)->count, 1);
    assert_string_equal(cell(&report, "hypercall", 0)->note, "none: no hypervisor");
    report_release(&report);
    release_request(&request);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_interleaved),
        cmocka_unit_test(untrusted_results_are_checked),
    };
    int fd;
    int rc;

    if (argc > 1 && (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "boot") == 0))
        return fake(argc, argv);
    fd = mkstemp(log_path);
    if (fd < 0 || setenv("TEST_COMPARE_LOG", log_path, 1) < 0)
        return EXIT_FAILURE;
    close(fd);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path);
    return rc;
}
