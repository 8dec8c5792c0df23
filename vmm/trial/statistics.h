/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a few measured values say: middle, spread, and whether two lots of them differ.
 *
 * Two lots are compared by the rank sum test of Mann and Whitney (two-sided, 5 %): it asks only
 * which values are larger, so one slow outlier decides nothing and no shape of distribution is
 * assumed. The probability is the normal approximation with corrections for continuity and ties.
 */
#ifndef MICROVM_TRIAL_STATISTICS_H
#define MICROVM_TRIAL_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

#define STATISTICS_LEVEL 0.05
/* Values of each lot below which the test cannot show any difference, however large. */
#define STATISTICS_COUNT_MIN 4

struct statistics {
    size_t count;
    double minimum, quartile1, median, quartile3, maximum;
};

/* Sorts `values` and sums them up. Quartiles between two values are interpolated linearly (type 7
 * of Hyndman and Fan). `count` 0 gives zeros. */
void statistics_summarize(double *values, size_t count, struct statistics *summary);

/*
 * The probability of ranks at least as unequal as these when both lots are alike: 1 when nothing
 * speaks for a difference, also when a lot is empty. Sorts both.
 */
double statistics_test(double *a, size_t a_count, double *b, size_t b_count);

#endif
