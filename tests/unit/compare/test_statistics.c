/* SPDX-License-Identifier: Apache-2.0 */
/* Medians, quartiles and the rank sum test have the values of other programs. */
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "vmm/base/bytes.h"
#include "vmm/trial/statistics.h"

#define VALUES_MAX 32

static void expect_near(double actual, double expected)
{
    double difference = actual > expected ? actual - expected : expected - actual;

    if (difference > 1e-6)
        fail_msg("%.9f instead of %.9f", actual, expected);
}

static void quartiles_are_interpolated(void **state)
{
    double five[] = {9, 1, 5, 3, 7};
    double four[] = {4, 1, 3, 2};
    double one[] = {42};
    struct statistics summary;

    (void)state;
    statistics_summarize(five, ARRAY_LENGTH(five), &summary);
    assert_int_equal(summary.count, 5);
    expect_near(summary.minimum, 1);
    expect_near(summary.quartile1, 3);
    expect_near(summary.median, 5);
    expect_near(summary.quartile3, 7);
    expect_near(summary.maximum, 9);
    statistics_summarize(four, ARRAY_LENGTH(four), &summary);
    expect_near(summary.quartile1, 1.75);
    expect_near(summary.median, 2.5);
    expect_near(summary.quartile3, 3.25);
    statistics_summarize(one, ARRAY_LENGTH(one), &summary);
    expect_near(summary.quartile1, 42);
    expect_near(summary.maximum, 42);
    statistics_summarize(one, 0, &summary);
    assert_int_equal(summary.count, 0);
    expect_near(summary.median, 0);
}

/* By an independent calculation: U by comparing every pair, the tails by a library's erfc(). The
 * first is the example of the documentation of scipy.stats.mannwhitneyu. */
static void differences_have_their_probability(void **state)
{
    static const struct {
        double a[VALUES_MAX], b[VALUES_MAX];
        size_t a_count, b_count;
        double probability;
    } cases[] = {
        {{19, 22, 16, 29, 24}, {20, 11, 17, 12}, 5, 4, 0.11134688653},
        {{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, 5, 5, 0.0121857803},
        {{1, 2, 3}, {4, 5, 6}, 3, 3, 0.0808556},
        {{1, 2, 3, 4}, {5, 6, 7, 8}, 4, 4, 0.0303828},
        {{1, 2, 2, 3, 3, 3}, {2, 3, 3, 4, 5, 5}, 6, 6, 0.0784029345},
        {{7, 7, 7, 7}, {7, 7, 7, 7}, 4, 4, 1},
        {{1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, {2, 2, 2, 2, 2, 2, 2, 2, 2, 1}, 10, 10, 0.0005741725},
        {{1}, {2}, 1, 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        double a[VALUES_MAX];
        double b[VALUES_MAX];

        for (size_t j = 0; j < VALUES_MAX; j++) {
            a[j] = cases[i].a[j];
            b[j] = cases[i].b[j];
        }
        expect_near(statistics_test(a, cases[i].a_count, b, cases[i].b_count),
                    cases[i].probability);
        expect_near(statistics_test(b, cases[i].b_count, a, cases[i].a_count),
                    cases[i].probability);
    }
}

/* The meaning of STATISTICS_COUNT_MIN. */
static void too_few_values_show_nothing(void **state)
{
    (void)state;
    for (size_t count = 1; count < 8; count++) {
        double a[8];
        double b[8];

        for (size_t i = 0; i < count; i++) {
            a[i] = (double)i;
            b[i] = (double)(1000 + i);
        }
        assert_int_equal(statistics_test(a, count, b, count) < STATISTICS_LEVEL,
                         count >= STATISTICS_COUNT_MIN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quartiles_are_interpolated),
        cmocka_unit_test(differences_have_their_probability),
        cmocka_unit_test(too_few_values_show_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
