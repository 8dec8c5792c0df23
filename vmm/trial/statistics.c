/* SPDX-License-Identifier: Apache-2.0 */
/* Medians, quartiles, and the rank sum test; see statistics.h. Without libm: it would
 * be one more shared library to load at every start of every command. */
#include "vmm/trial/statistics.h"

#include <stdlib.h>

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static void sort_values(double *values, size_t count)
{
    if (count > 1)
        qsort(values, count, sizeof(*values), compare_values);
}

static double quantile(const double *values, size_t count, double part)
{
    double place = part * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;

    return values[below] + (place - (double)below) * (values[above] - values[below]);
}

void statistics_summarize(double *values, size_t count, struct statistics *summary)
{
    *summary = (struct statistics){.count = count};
    if (count == 0)
        return;
    sort_values(values, count);
    summary->minimum = values[0];
    summary->quartile1 = quantile(values, count, 0.25);
    summary->median = quantile(values, count, 0.5);
    summary->quartile3 = quantile(values, count, 0.75);
    summary->maximum = values[count - 1];
}

/* Newton's method, from above. */
static double square_root(double value)
{
    double root = value > 1 ? value : 1;

    for (int i = 0; i < 64; i++)
        root = (root + value / root) / 2;
    return root;
}

/* Both tails of the standard normal distribution beyond z >= 0, to 3e-7 (Abramowitz and Stegun,
 * Handbook of Mathematical Functions, 7.1.28). */
static double normal_tails(double z)
{
    static const double factors[] = {0.0705230784, 0.0422820123, 0.0092705272,
                                     0.0001520143, 0.0002765672, 0.0000430638};
    double x = z / square_root(2);
    double sum = 0;

    for (size_t i = sizeof(factors) / sizeof(factors[0]); i-- > 0;)
        sum = (sum + factors[i]) * x;
    sum += 1;
    for (int i = 0; i < 4; i++) /* to the power of 16 */
        sum *= sum;
    return 1 / sum;
}

/* Walks both samples in order of size. Gives the sum of the ranks of `a` (equal values share the
 * mean of theirs) and the sum of t^3 - t over all groups of t equal values. */
static void rank(const double *a, size_t a_count, const double *b, size_t b_count, double *rank_sum,
                 double *ties)
{
    size_t i = 0;
    size_t j = 0;

    *rank_sum = 0;
    *ties = 0;
    while (i < a_count || j < b_count) {
        double value = j == b_count || (i < a_count && a[i] < b[j]) ? a[i] : b[j];
        size_t before = i + j;
        size_t of_a = 0;
        double equal;

        for (; i < a_count && a[i] <= value; i++)
            of_a++;
        while (j < b_count && b[j] <= value)
            j++;
        equal = (double)(i + j - before);
        *rank_sum += (double)of_a * ((double)before + (equal + 1) / 2);
        *ties += equal * equal * equal - equal;
    }
}

double statistics_test(double *a, size_t a_count, double *b, size_t b_count)
{
    double n = (double)a_count;
    double m = (double)b_count;
    double all = n + m;
    double rank_sum;
    double ties;
    double distance;
    double variance;

    if (a_count == 0 || b_count == 0)
        return 1;
    sort_values(a, a_count);
    sort_values(b, b_count);
    rank(a, a_count, b, b_count, &rank_sum, &ties);
    distance = rank_sum - n * (n + 1) / 2 - n * m / 2; /* U less its expected value */
    distance = distance < 0 ? -distance : distance;
    distance -= 0.5;
    variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
    if (distance <= 0 || variance <= 0)
        return 1;
    return normal_tails(distance / square_root(variance));
}
