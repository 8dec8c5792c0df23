/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of an import: each one ends it, with a message that names its option. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/image/import_fixture.h"
#include "tests/unit/image/import_here.h"
#include "tests/unit/unit.h"
#include "vmm/base/cleanup.h"
#include "vmm/image/import/budget.h"

/* Each limit ends an import, with a message that names its option; no file stays. */
static void test_budgets(void **state)
{
    static const struct {
        struct load_limits limits;
        int code;
        const char *message;
    } cases[] = {
        {{1 << 20, 200, 1000, 10, 60}, EDQUOT, "--max-space"},
        {{1 << 30, 200, 2, 10, 60}, E2BIG, "--max-entries"},
        {{1 << 30, 200, 1000, 10, 0}, ETIME, "--max-time"},
    };
    struct import_fixture *fixture = *state;
    size_t size = 3 << 20;
    char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761U >> 13);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture->limits = cases[i].limits;
        import_fixture_add(fixture, "bin/a", data, size);
        import_fixture_add(fixture, "bin/b", "x", 1);
        import_fixture_add(fixture, "bin/c", "x", 1);
        import_refused(fixture, cases[i].code, cases[i].message);
    }
    free(data);
    fixture->limits = (struct load_limits){1 << 30, 200, 1000, 1, 60};
    import_fixture_add_oci(fixture, "1", "2");
    import_refused(fixture, E2BIG, "--max-images");
    fixture->limits.images = 2;
    import_fixture_add_oci(fixture, "1", "2");
    import_fine(fixture, NULL, false, "my-app:1 my-app:2");
}

static void test_ratio(void **state)
{
    struct budget budget = {.limits = {.ratio = 10}};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(budget_unpack(&budget, 1, LOAD_RATIO_FREE, &err), 0);
    assert_int_equal(budget_unpack(&budget, 0, 1000, &err), -E2BIG);
    assert_non_null(strstr(err.text, "--max-ratio"));
    assert_int_equal(budget_unpack(&budget, LOAD_RATIO_FREE, 0, &err), 0);
}

/* An input that is not an archive fails at its beginning, whatever follows. */
static void test_implausible(void **state)
{
    struct import_fixture *fixture = *state;
    AUTO_CLOSE int fd = open(fixture->archive, O_RDWR | O_CREAT, 0644);
    struct load_options options = {
        .store = fixture->store, .path = fixture->archive, .limits = LOAD_LIMITS_DEFAULT};
    struct error err = ERROR_INIT;

    assert_int_equal(ftruncate(fd, 255LL << 30), 0);
    assert_int_equal(import_here(&options, NULL, NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "begins with zeros"));
    assert_int_equal(pwrite(fd, "y\ny\ny\n", 6, 0), 6);
    assert_int_equal(import_here(&options, NULL, NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "neither an image nor"));
    options.path = "/dev/zero";
    assert_int_equal(import_here(&options, NULL, NULL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "/dev/zero: is a character device"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_budgets, import_fixture_set_up,
                                        import_fixture_tear_down),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test_setup_teardown(test_implausible, import_fixture_set_up,
                                        import_fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
