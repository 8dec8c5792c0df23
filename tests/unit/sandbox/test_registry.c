/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: names, lists, traits, and which runtime a program is. */
#include <stdlib.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/report/explain.h"
#include "vmm/sandbox/registry.h"

static void every_row_is_complete(void **state)
{
    char names[128] = "";

    (void)state;
    for (size_t i = 0; i < SANDBOX_COUNT; i++) {
        const struct sandbox *sandbox = sandbox_registry[i];
        const struct sandbox *found;

        assert_int_equal(sandbox_find(sandbox->name, &found, NULL), 0);
        assert_ptr_equal(found, sandbox);
        assert_true(sandbox->title && sandbox->prepare && sandbox->transform && sandbox->run &&
                    sandbox->release);
        /* A runtime on the host, or a VM of its own: each takes --runtime or brings a monitor. */
        assert_int_equal(sandbox->runtime != NULL, (sandbox->traits & SANDBOX_OCI_RUNTIME) != 0);
        assert_int_equal(sandbox->runtime == NULL, (sandbox->traits & SANDBOX_VM) != 0);
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? "|" : "",
                 sandbox->name);
    }
    assert_string_equal(SANDBOX_NAMES, names);
}

static void names_are_found(void **state)
{
    const struct sandbox *sandbox;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(sandbox_find(NULL, &sandbox, &err), 0);
    assert_ptr_equal(sandbox, &sandbox_vm);
    assert_int_equal(sandbox_find("contain", &sandbox, &err), -EINVAL);
    assert_string_equal(err.text, "--isolation: 'contain' is unknown; use vm, container, gvisor");
}

static void lists_are_taken_apart(void **state)
{
    const struct sandbox *sandboxes[SANDBOX_COUNT];
    struct error err = ERROR_INIT;
    size_t count;

    (void)state;
    assert_int_equal(sandbox_find_all("gvisor,vm", sandboxes, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_ptr_equal(sandboxes[0], &sandbox_gvisor);
    assert_ptr_equal(sandboxes[1], &sandbox_vm);
    assert_int_equal(sandbox_find_all("vm,vm", sandboxes, &count, &err), -EINVAL);
    assert_string_equal(err.text, "--isolation: vm is listed twice");
    assert_int_equal(sandbox_find_all("vm,", sandboxes, &count, &err), -EINVAL);
    assert_int_equal(sandbox_find_all("", sandboxes, &count, &err), -EINVAL);
}

/* Without a list: those whose runtime is in PATH, and the one that others are compared with first.
 */
static void the_installed_are_the_default(void **state)
{
    char directory[] = "/tmp/test_registry.XXXXXX";
    char program[64];
    const struct sandbox *sandboxes[SANDBOX_COUNT];
    size_t count;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(setenv("PATH", directory, 1), 0);
    assert_int_equal(sandbox_find_all(NULL, sandboxes, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_ptr_equal(sandboxes[0], &sandbox_container);
    snprintf(program, sizeof(program), "%s/runsc", directory);
    file = fopen(program, "we");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(chmod(program, 0755), 0);
    assert_int_equal(sandbox_find_all(NULL, sandboxes, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_ptr_equal(sandboxes[2], &sandbox_gvisor);
    unlink(program);
    rmdir(directory);
}

static void a_runtime_is_known_by_its_program(void **state)
{
    (void)state;
    assert_ptr_equal(sandbox_runtime_find("/usr/bin/runsc-release"), sandbox_gvisor.runtime);
    assert_ptr_equal(sandbox_runtime_find("crun"), sandbox_container.runtime);
    assert_null(sandbox_runtime_find("/usr/bin/runc"));
}

static void what_a_sandbox_lacks_is_refused(void **state)
{
    struct explanation explanation = {.live = true};
    struct sandbox_options options = {.runtime = "runc"};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(sandbox_check_options(&sandbox_container, &options, &err), 0);
    assert_int_equal(sandbox_check_options(&sandbox_vm, &options, &err), -EINVAL);
    assert_string_equal(err.text, "--runtime: --isolation=vm has no OCI runtime on the host; use "
                                  "--isolation=container|gvisor");
    options = (struct sandbox_options){.earlycon = true};
    assert_int_equal(sandbox_check_options(&sandbox_vm, &options, &err), 0);
    assert_int_equal(sandbox_check_options(&sandbox_container, &options, &err), -EINVAL);
    options = (struct sandbox_options){.explanation = &explanation};
    assert_int_equal(sandbox_check_options(&sandbox_vm, &options, &err), 0);
    assert_int_equal(sandbox_check_options(&sandbox_container, &options, &err), -EINVAL);
    assert_string_equal(err.text, "--explain=live: --isolation=container has no monitor that "
                                  "traces; use --isolation=vm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(lists_are_taken_apart),
        cmocka_unit_test(the_installed_are_the_default),
        cmocka_unit_test(a_runtime_is_known_by_its_program),
        cmocka_unit_test(what_a_sandbox_lacks_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
