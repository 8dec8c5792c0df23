/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of a few measured values: median, spread, and whether two samples differ.
 *
 * Two samples are compared by the rank sum test of Mann and Whitney (two-sided, 5 %). It uses only
 * the order of the values, so that one slow outlier decides nothing and no distribution is assumed.
 * The probability is the normal approximation with corrections for continuity and ties.
 */
#ifndef MICROVM_TRIAL_STATISTICS_H
#define MICROVM_TRIAL_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

#define STATISTICS_LEVEL 0.05
/* With fewer values in each sample, the test cannot show any difference, however large. */
#define STATISTICS_COUNT_MIN 4

struct statistics {
    size_t count;
    double minimum, quartile1, median, quartile3, maximum;
};

/* Sorts and summarizes `values`. Quartiles between two values are interpolated linearly (type 7
 * of Hyndman and Fan). `count` 0 gives zeros. */
void statistics_summarize(double *values, size_t count, struct statistics *summary);

/*
 * The probability of ranks at least as unequal as these if both samples have the same distribution:
 * 1 means no sign of a difference; also 1 when a sample is empty. Sorts both.
 */
double statistics_test(double *a, size_t a_count, double *b, size_t b_count);

#endif
