/* SPDX-License-Identifier: Apache-2.0 */
/* A run under an isolation: its command line, output, times and cost. The program that is run is
 * this one, a fake `microvm run`. */
#include <stdlib.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/sandbox/registry.h"
#include "vmm/trial/trial.h"

/* ---- the fake ------------------------------------------------------------------------------- */

static const char timeline_text[] =
    "{\"start_ns\":1000,\"steps\":[{\"step\":\"command\",\"at_ns\":0,\"took_ns\":0},"
    "{\"step\":\"runtime\",\"at_ns\":70,\"took_ns\":70}],\"total_ns\":70,"
    "\"counts\":{\"init\":{},\"end\":{\"inside.cpu_us\":4711,\"bad\":-1}}}\n";

static void fake_timeline(const char *option, const char *text)
{
    FILE *file = fopen(strchr(option, ':') + 1, "we");

    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void fake_record(const char *option, enum run_stage stage, int status, const char *reason)
{
    struct run_record record = {.stage = stage, .status = status};

    snprintf(record.reason, sizeof(record.reason), "%s", reason);
    run_record_write(atoi(strchr(option, '=') + 1), &record);
}

static void fake_burn(void)
{
    while (clock() < CLOCKS_PER_SEC / 20)
        ;
}

static int fake_run(int argc, char **argv)
{
    const char *verb = argv[argc - 1];

    if (strcmp(verb, "arguments") == 0) {
        for (int i = 0; i < argc; i++)
            puts(i == 3 ? "(timeline)" : i == 4 ? "(record)" : argv[i]);
        fake_record(argv[4], RUN_STARTED, 0, "");
    } else if (strcmp(verb, "timeline") == 0) {
        fake_timeline(argv[3], timeline_text);
        fake_record(argv[4], RUN_STARTED, 125, "");
        return 125; /* the command's own */
    } else if (strcmp(verb, "hostile-timeline") == 0) {
        fake_timeline(argv[3], "{\"start_ns\":\"no\",\"steps\":7,\"counts\":[]}");
    } else if (strcmp(verb, "fail") == 0) {
        fputs("microvm: not this\n", stderr); /* standard error is not looked at */
        fake_record(argv[4], RUN_COMMAND, 127, "nosuch: \033[2Jnot found");
        return 127;
    } else if (strcmp(verb, "hostile-record") == 0) {
        dprintf(atoi(strchr(argv[4], '=') + 1), "{\"stage\":\"moon\",\"status\":1,\"reason\":7}\n");
        return 1;
    } else if (strcmp(verb, "flood") == 0) {
        for (int i = 0; i < 100000; i++)
            fputs("0123456789", stdout);
    } else if (strcmp(verb, "die") == 0) {
        raise(SIGKILL);
    } else if (strcmp(verb, "burn") == 0) {
        fake_burn();
    } else if (strcmp(verb, "wait") == 0) {
        puts("waiting");
        fflush(stdout);
        pause();
    }
    return 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void run_with(struct trial_request *request, const char *verb, struct trial_result *result)
{
    AUTO_STRING_LIST struct string_list command = {0};
    struct error err = ERROR_INIT;

    request->sandbox = &sandbox_vm;
    request->image = "busybox";
    request->command = &command;
    request->output_max = 4096;
    assert_int_equal(string_list_add(&command, verb), 0);
    assert_int_equal(trial_run(request, result, &err), 0);
}

static void run(const char *verb, struct trial_result *result)
{
    struct trial_request request = {.signal_fd = -1};

    run_with(&request, verb, result);
}

static void the_command_line_is_that_of_run(void **state)
{
    AUTO_STRING_LIST struct string_list options = {0};
    struct trial_request request = {.signal_fd = -1, .options = &options};
    struct trial_result result;

    (void)state;
    assert_int_equal(string_list_add(&options, "-m"), 0);
    assert_int_equal(string_list_add(&options, "64m"), 0);
    run_with(&request, "arguments", &result);
    assert_int_equal(result.status, 0);
    assert_string_equal(
        result.streams[TRIAL_OUTPUT].bytes,
        "microvm\nrun\n--isolation=vm\n(timeline)\n(record)\n-m\n64m\n--\nbusybox\narguments\n");
    assert_true(result.first_byte_ns > result.start_ns);
    assert_true(result.end_ns >= result.first_byte_ns);
    assert_int_equal(result.streams[TRIAL_ERRORS].total, 0);
    assert_null(result.timeline);
    trial_result_release(&result);
}

static void a_timeline_is_read(void **state)
{
    struct trial_result result;
    uint64_t value;

    (void)state;
    run("timeline", &result);
    assert_int_equal(result.status, 125);
    assert_false(trial_failed(&result));
    assert_true(trial_step(&result, "runtime", &value));
    assert_int_equal(value, 1070);
    assert_false(trial_step(&result, "exit", &value));
    assert_true(trial_count(&result, "inside.cpu_us", &value));
    assert_int_equal(value, 4711);
    assert_false(trial_count(&result, "bad", &value));
    assert_false(trial_count(&result, "absent", &value));
    assert_int_equal(result.first_byte_ns, 0);
    trial_result_release(&result);
}

static void a_malformed_timeline_is_ignored(void **state)
{
    struct trial_result result;
    uint64_t value;

    (void)state;
    run("hostile-timeline", &result);
    assert_false(trial_step(&result, "runtime", &value));
    assert_false(trial_count(&result, "exits", &value));
    trial_result_release(&result);
}

static void a_failure_has_a_reason(void **state)
{
    struct trial_result result;
    char text[128];

    (void)state;
    run("fail", &result);
    assert_true(trial_failed(&result));
    assert_true(result.recorded);
    assert_int_equal(result.record.stage, RUN_COMMAND);
    assert_int_equal(result.record.status, 127);
    trial_why(&result, text, sizeof(text));
    assert_string_equal(text, "nosuch: ?[2Jnot found");
    trial_result_release(&result);
    run("hostile-record", &result);
    assert_false(result.recorded);
    assert_true(trial_failed(&result));
    trial_result_release(&result);
    run("die", &result);
    assert_int_equal(result.status, 128 + SIGKILL);
    assert_true(trial_failed(&result));
    trial_why(&result, text, sizeof(text));
    assert_string_equal(text, "microvm ended with status 137 without a record of the run");
    trial_result_release(&result);
}

static void output_is_bounded(void **state)
{
    struct trial_result result;

    (void)state;
    run("flood", &result);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.streams[TRIAL_OUTPUT].size, 4096);
    assert_int_equal(result.streams[TRIAL_OUTPUT].total, 1000000);
    assert_int_equal(result.streams[TRIAL_OUTPUT].bytes[4096], 0);
    trial_result_release(&result);
}

static void processor_time_is_counted(void **state)
{
    struct trial_result result;

    (void)state;
    run("burn", &result);
    assert_in_range(result.cpu_us, 45000, 10000000);
    trial_result_release(&result);
}

static void groups_are_joined_first(void **state)
{
    char path[] = "/tmp/test_trial.XXXXXX";
    struct trial_request request = {.signal_fd = -1, .join_count = 1};
    struct trial_result result;
    char byte = 0;

    (void)state;
    request.joins[0] = mkstemp(path);
    assert_true(request.joins[0] >= 0);
    run_with(&request, "arguments", &result);
    assert_int_equal(pread(request.joins[0], &byte, 1, 0), 1);
    assert_int_equal(byte, '0');
    close(request.joins[0]);
    trial_result_release(&result);

    request.joins[0] = open(path, O_RDONLY); /* as a group that cannot be joined */
    run_with(&request, "arguments", &result);
    assert_true(trial_failed(&result));
    assert_non_null(strstr(result.streams[TRIAL_ERRORS].bytes, "cannot join the cgroup"));
    close(request.joins[0]);
    unlink(path);
    trial_result_release(&result);
}

static void signal_started(void *opaque, pid_t pid)
{
    *(pid_t *)opaque = pid;
    raise(SIGINT); /* blocked: it waits in the signalfd */
}

static void a_signal_ends_the_run(void **state)
{
    pid_t pid = 0;
    struct trial_request request = {.started = signal_started, .opaque = &pid};
    struct trial_result result;
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    request.signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    run_with(&request, "wait", &result);
    assert_int_equal(result.interrupted, SIGINT);
    assert_int_equal(result.status, 128 + SIGTERM);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    close(request.signal_fd);
    trial_result_release(&result);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_line_is_that_of_run),
        cmocka_unit_test(a_timeline_is_read),
        cmocka_unit_test(a_malformed_timeline_is_ignored),
        cmocka_unit_test(a_failure_has_a_reason),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(processor_time_is_counted),
        cmocka_unit_test(groups_are_joined_first),
        cmocka_unit_test(a_signal_ends_the_run),
    };

    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return fake_run(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
