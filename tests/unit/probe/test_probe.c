/* SPDX-License-Identifier: Apache-2.0 */
/* The output of microvm-probes is parsed as untrusted data, verdicts follow from evidence alone,
 * and what is shown is safe. */
#include <stdlib.h>
#include <sys/syscall.h>

#include <stdio.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/probe/probe_results.h"
#include "vmm/probe/probe_verdict.h"

/* ---- parsing --------------------------------------------------------------------------------- */

static json_t *parse(const char *text)
{
    json_t *results = probe_results_parse(text, strlen(text));

    assert_non_null(results);
    return results;
}

static void lines_become_results(void **state)
{
    json_t *results = parse("{\"check\":\"release\",\"text\":\"6.1\",\"n\":7,\"held\":true}\n"
                            "{\"check\":\"other\"}\n");
    const json_t *result = json_object_get(results, "release");

    (void)state;
    assert_string_equal(probe_result_text(result, "text"), "6.1");
    assert_int_equal(probe_result_number(result, "n"), 7);
    assert_true(probe_result_truth(result, "held"));
    assert_null(probe_result_text(result, "n"));
    assert_int_equal(probe_result_number(result, "text"), -1);
    assert_int_equal(json_object_size(results), 2);
    json_decref(results);
}

static void malformed_lines_are_ignored(void **state)
{
    static const char *const lines[] = {
        "",
        "\n\n",
        "no json\n",
        "[]\n",
        "{\"check\":7}\n",
        "{\"text\":\"no name\"}\n",
        "{\"check\":\"x\",\"deep\":{}}\n",
        "{\"check\":\"x\",\"deep\":[1]}\n",
        "{\"check\":\"x\",\"check\":\"y\"}\n",
        "{\"check\":\"x\"} trailing\n",
        "{\"check\":\"cut off\"}",
        "{\"check\":\"bad utf-8 \xff\"}\n",
        "{\"check\":\"nul \\u0000\"}\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        json_t *results = parse(lines[i]);

        assert_int_equal(json_object_size(results), 0);
        json_decref(results);
    }
}

static void the_first_of_two_counts(void **state)
{
    json_t *results = parse("{\"check\":\"x\",\"text\":\"1\"}\n{\"check\":\"x\",\"text\":\"2\"}\n");

    (void)state;
    assert_string_equal(probe_result_text(json_object_get(results, "x"), "text"), "1");
    json_decref(results);
}

static void too_much_is_bounded(void **state)
{
    size_t size = 0;
    char *text = malloc(2000 * 32 + 20000);
    json_t *results;

    (void)state;
    assert_non_null(text);
    size += (size_t)sprintf(text, "{\"check\":\"long\",\"text\":\"");
    memset(text + size, 'a', 17000);
    size += 17000;
    size += (size_t)sprintf(text + size, "\"}\n");
    for (int i = 0; i < 2000; i++)
        size += (size_t)sprintf(text + size, "{\"check\":\"q%d\"}\n", i);
    results = probe_results_parse(text, size);
    assert_null(json_object_get(results, "long"));
    assert_in_range(json_object_size(results), 1, 256);
    json_decref(results);
    free(text);
}

static void system_calls_are_counted(void **state)
{
    json_t *result = json_pack("{s:s}", "text", "ysnuk-y");
    struct probe_calls calls;

    (void)state;
    assert_true(probe_calls_parse(result, &calls));
    assert_int_equal(calls.known, 6);
    assert_int_equal(calls.stopped, 2);
    assert_int_equal(calls.present, 2);
    assert_int_equal(calls.absent, 1);
    assert_int_equal(calls.untested, 1);
    assert_true(calls.filter_known);
    json_decref(result);
}

static void malformed_lists_of_calls_are_refused(void **state)
{
    char longer[PROBE_CALLS_MAX + 2];
    const char *const texts[] = {"", "yy?y", "-----", longer};
    struct probe_calls calls;

    (void)state;
    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        json_t *result = json_pack("{s:s}", "text", texts[i]);

        assert_false(probe_calls_parse(result, &calls));
        assert_int_equal(calls.known, 0);
        json_decref(result);
    }
    assert_false(probe_calls_parse(NULL, &calls));
}

/* ---- verdicts -------------------------------------------------------------------------------- */

#define HOST                                                                                       \
    "{\"boot_id\":\"host\",\"version\":\"v\",\"release\":\"6.1\",\"hostname\":\"h\","              \
    "\"ns_pid\":\"pid:1\",\"ns_mnt\":\"mnt:1\",\"ns_net\":\"net:1\",\"ns_uts\":\"uts:1\","         \
    "\"chroot\":\"root 1:2\"}"
#define SELF                                                                                       \
    "{\"check\":\"self\",\"capabilities\":\"00\",\"ns_pid\":\"pid:2\",\"ns_mnt\":\"mnt:2\","       \
    "\"ns_net\":\"net:1\",\"ns_uts\":\"uts:2\""
#define OURS "{\"check\":\"boot_id\",\"text\":\"host\"}\n"
#define OWN  "{\"check\":\"boot_id\",\"text\":\"other\"}\n"

static const struct {
    const char *check;
    const struct sandbox *sandbox;
    const char *kernel; /* OURS or OWN */
    const char *fact;   /* members behind "check" */
    enum probe_layer layer;
    const char *result;
} verdicts[] = {
    {"release", &sandbox_container, OURS, "\"outcome\":\"seen\",\"text\":\"6.1\"", PROBE_NOTHING,
     "6.1"},
    {"release", &sandbox_vm, OWN, "\"outcome\":\"seen\",\"text\":\"6.1\"", PROBE_HYPERVISOR, "6.1"},
    {"release", &sandbox_gvisor, OWN, "\"outcome\":\"seen\",\"text\":\"4.4\"", PROBE_OWN_KERNEL,
     "4.4"},
    {"release", &sandbox_container, OURS, "\"outcome\":\"seen\",\"text\":\"9\"", PROBE_UNKNOWN,
     "9"},
    {"hostname", &sandbox_container, OURS, "\"outcome\":\"seen\",\"text\":\"c\"", PROBE_NAMESPACE,
     "c"},
    {"module", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"EPERM\",\"call\":1,\"filter\":\"EPERM\","
     "\"capability\":\"CAP_SYS_MODULE\",\"held\":false",
     PROBE_SECCOMP, "EPERM"},
    {"module", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"EPERM\",\"call\":1,\"filter\":\"allows\","
     "\"capability\":\"CAP_SYS_MODULE\",\"held\":false",
     PROBE_CAPABILITY, "EPERM"},
    {"module", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"EPERM\",\"call\":1,\"filter\":\"allows\","
     "\"capability\":\"CAP_SYS_MODULE\",\"held\":true",
     PROBE_UNKNOWN, "EPERM"},
    {"module", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"ENOSYS\",\"call\":1,\"filter\":\"allows\"", PROBE_KERNEL,
     "ENOSYS"},
    {"module", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"ENOSYS\",\"call\":1,\"filter\":\"kills\"", PROBE_SECCOMP,
     "ENOSYS"},
    {"module", &sandbox_container, OURS, "\"outcome\":\"allowed\",\"filter\":\"allows\"",
     PROBE_NOTHING, "allowed"},
    {"module", &sandbox_vm, OWN, "\"outcome\":\"allowed\",\"filter\":\"allows\"", PROBE_HYPERVISOR,
     "allowed"},
    {"sysctl", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"EROFS\",\"path\":\"/proc/sys/x\","
     "\"mount_point\":\"/proc/sys\",\"mount_type\":\"proc\",\"mount_options\":\"ro\"",
     PROBE_MOUNT, "EROFS"},
    {"kcore", &sandbox_container, OURS,
     "\"outcome\":\"empty\",\"path\":\"/proc/kcore\",\"mount_point\":\"/proc/kcore\","
     "\"mount_type\":\"tmpfs\",\"mount_options\":\"rw\"",
     PROBE_MOUNT, "empty"},
    {"block_device", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"EPERM\",\"text\":\"open\",\"path\":\"/dev/n\","
     "\"mount_point\":\"/dev\",\"mount_type\":\"tmpfs\",\"mount_options\":\"rw,nosuid\"",
     PROBE_CGROUP, "EPERM"},
    {"block_device", &sandbox_container, OURS,
     "\"outcome\":\"refused\",\"error\":\"EACCES\",\"text\":\"open\",\"path\":\"/dev/n\","
     "\"mount_point\":\"/dev\",\"mount_type\":\"tmpfs\",\"mount_options\":\"rw,nodev\"",
     PROBE_MOUNT, "EACCES"},
    {"signal", &sandbox_container, OURS, "\"outcome\":\"refused\",\"error\":\"ESRCH\"",
     PROBE_NAMESPACE, "ESRCH"},
    {"signal", &sandbox_vm, OWN, "\"outcome\":\"refused\",\"error\":\"ESRCH\"", PROBE_HYPERVISOR,
     "ESRCH"},
    {"raw_socket", &sandbox_container, OURS, "\"outcome\":\"allowed\"", PROBE_NOTHING, "allowed"},
    {"chroot", &sandbox_container, OURS, "\"outcome\":\"allowed\",\"text\":\"root 9:9\"",
     PROBE_NAMESPACE, "allowed"},
    {"chroot", &sandbox_container, OURS, "\"outcome\":\"allowed\",\"text\":\"root 1:2\"",
     PROBE_NOTHING, "allowed"},
    {"module", &sandbox_container, OURS, "\"outcome\":\"untested\",\"text\":\"why\"", PROBE_UNKNOWN,
     "not tested"},
    {"module", &sandbox_container, OURS, "\"outcome\":\"something\"", PROBE_UNKNOWN, "not tested"},
    {"module", &sandbox_container, OURS, "\"outcome\":7,\"text\":[", PROBE_UNKNOWN, "not tested"},
    {"module", &sandbox_container, OURS, "\"outcome\":\"refused\",\"error\":\"\\u001b[2J\"",
     PROBE_UNKNOWN, "?[2J"},
};

static const struct probe_check *find_check(const char *name)
{
    for (size_t i = 0; i < probe_check_count; i++) {
        if (strcmp(probe_checks[i].name, name) == 0)
            return &probe_checks[i];
    }
    fail_msg("no check %s", name);
    return NULL;
}

static void the_layer_follows_from_the_evidence(void **state)
{
    json_t *host = json_loads(HOST, 0, NULL);

    (void)state;
    assert_non_null(host);
    for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++) {
        struct probe_cell cell;
        char text[1024];
        json_t *results;
        struct probe_view view = {.sandbox = verdicts[i].sandbox, .host = host};

        snprintf(text, sizeof(text), "%s%s}\n{\"check\":\"%s\",%s}\n", verdicts[i].kernel, SELF,
                 verdicts[i].check, verdicts[i].fact);
        results = parse(text);
        view.results = results;
        view.own_kernel = probe_has_own_kernel(results, host);
        probe_verdict(find_check(verdicts[i].check), &view, &cell);
        if (cell.layer != verdicts[i].layer || strcmp(cell.result, verdicts[i].result) != 0)
            fail_msg("row %zu (%s): %s by %s: %s", i, verdicts[i].check, cell.result,
                     probe_layer_name(cell.layer), cell.evidence);
        json_decref(results);
    }
    json_decref(host);
}

static void a_capability_in_a_user_namespace_is_that_namespaces(void **state)
{
    json_t *host = json_loads(HOST, 0, NULL);
    json_t *results = parse(OURS SELF ",\"user_namespace\":true}\n"
                                      "{\"check\":\"module\",\"outcome\":\"refused\","
                                      "\"error\":\"EPERM\",\"filter\":\"allows\","
                                      "\"capability\":\"CAP_SYS_MODULE\",\"held\":true}\n");
    const struct probe_view view = {
        .sandbox = &sandbox_container, .results = results, .host = host};
    struct probe_cell cell;

    (void)state;
    probe_verdict(find_check("module"), &view, &cell);
    assert_int_equal(cell.layer, PROBE_NAMESPACE);
    json_decref(results);
    json_decref(host);
}

static void a_file_of_an_unknown_owner_is_that_namespaces(void **state)
{
    json_t *host = json_loads(HOST, 0, NULL);
    json_t *results = parse(OURS SELF ",\"user_namespace\":true,\"uid\":0}\n"
                                      "{\"check\":\"sysctl\",\"outcome\":\"refused\","
                                      "\"error\":\"EACCES\",\"path\":\"/proc/sys/x\","
                                      "\"mount_point\":\"/proc/sys\",\"mount_type\":\"proc\","
                                      "\"mount_options\":\"ro\"}\n");
    const struct probe_view view = {
        .sandbox = &sandbox_container, .results = results, .host = host};
    struct probe_cell cell;

    (void)state;
    probe_verdict(find_check("sysctl"), &view, &cell);
    assert_int_equal(cell.layer, PROBE_NAMESPACE);
    json_decref(results);
    json_decref(host);
}

static void every_check_names_its_side_effects(void **state)
{
    (void)state;
    for (size_t i = 0; i < probe_check_count; i++) {
        assert_true(strlen(probe_checks[i].side_effects) > 10);
        assert_true(strlen(probe_checks[i].tries) > 3);
        assert_in_range(strlen(probe_checks[i].title), 1, 24);
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

static struct probe_report *make_report(void)
{
    static struct probe_report report;
    static const struct probe_thread_calls threads[PROBE_THREADS] = {
        {"vcpu", {__NR_ioctl, __NR_write}, 2}, {"loop", {__NR_read}, 1}};
    struct probe_row *row = &report.rows[0];

    report = (struct probe_report){.monitor_calls = threads,
                                   .image = "i",
                                   .sandboxes = {&sandbox_container, &sandbox_vm},
                                   .sandbox_count = 2};
    report.row_count = 1;
    report.own_kernel[1] = true;
    *row = (struct probe_row){"q",          "Group", "a check", "read(2)", "none: it only reads",
                              {{"", 0, ""}}};
    row->cells[0] = (struct probe_cell){"an result that is far too long for one line of a column",
                                        PROBE_SECCOMP, "because \"quoted\""};
    row->cells[1] = (struct probe_cell){"gr\xc3\xbcn", PROBE_HYPERVISOR, "its own"};
    return &report;
}

static char *show(const struct probe_report *report, struct probe_style style)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    probe_show(report, &style, out);
    fclose(out);
    return text;
}

static void a_table_fits_its_terminal(void **state)
{
    (void)state;
    for (unsigned columns = 60; columns <= 160; columns += 20) {
        char *text = show(make_report(), (struct probe_style){columns, true, false});

        assert_non_null(strstr(text, "(seccomp)"));
        assert_non_null(strstr(text, "(hypervisor)"));

        for (const char *line = text; *line;) {
            size_t size = strcspn(line, "\n");

            if (strncmp(line, "micro-VM:", 9) == 0)
                break;                             /* notes are sentences */
            assert_in_range(size, 0, columns + 1); /* one character here has two bytes */
            line += size + (line[size] == '\n');
        }
        free(text);
    }
}

static void ascii_terminals_get_ascii(void **state)
{
    char *text = show(make_report(), (struct probe_style){100, false, true});

    (void)state;
    for (const char *at = text; *at; at++)
        assert_true((unsigned char)*at < 0x80);
    assert_non_null(strstr(text, "gr?n"));
    assert_non_null(strstr(text, "tries: read(2); side effects: none: it only reads"));
    assert_non_null(strstr(text, "container: because \"quoted\""));
    free(text);
}

static void json_holds_the_same(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const json_t *cell;
    json_t *root;

    (void)state;
    assert_int_equal(probe_write_json(make_report(), out, NULL), 0);
    fclose(out);
    root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    cell = json_object_get(
        json_object_get(json_array_get(json_object_get(root, "rows"), 0), "isolations"),
        "container");
    assert_string_equal(json_string_value(json_object_get(cell, "layer")), "seccomp");
    assert_string_equal(json_string_value(json_object_get(cell, "evidence")), "because \"quoted\"");
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_results),
        cmocka_unit_test(malformed_lines_are_ignored),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(too_much_is_bounded),
        cmocka_unit_test(system_calls_are_counted),
        cmocka_unit_test(malformed_lists_of_calls_are_refused),
        cmocka_unit_test(the_layer_follows_from_the_evidence),
        cmocka_unit_test(a_capability_in_a_user_namespace_is_that_namespaces),
        cmocka_unit_test(a_file_of_an_unknown_owner_is_that_namespaces),
        cmocka_unit_test(every_check_names_its_side_effects),
        cmocka_unit_test(a_table_fits_its_terminal),
        cmocka_unit_test(ascii_terminals_get_ascii),
        cmocka_unit_test(json_holds_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
