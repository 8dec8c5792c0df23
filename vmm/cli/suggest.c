/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest known word to a mistyped one, by edit distance (optimal string alignment). */
#include "vmm/cli/suggest.h"

#include <string.h>

#define WORD_MAX 32

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Both words have at most WORD_MAX letters. */
static unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned cost[WORD_MAX + 1][WORD_MAX + 1];

    for (size_t i = 0; i <= a_length; i++)
        cost[i][0] = (unsigned)i;
    for (size_t j = 0; j <= b_length; j++)
        cost[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            unsigned change = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            cost[i][j] = least(change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a_length][b_length];
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    const char *nearest = NULL;
    /* At most a third of the letters may be wrong, or one: more is not a typing error. */
    unsigned best = (unsigned)(length / 3 > 0 ? length / 3 : 1) + 1;

    if (length > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t candidate_length = strlen(candidates[i]);
        unsigned distance;

        if (candidate_length > WORD_MAX)
            continue;
        distance = edit_distance(word, length, candidates[i], candidate_length);
        if (distance < best && distance < candidate_length) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
