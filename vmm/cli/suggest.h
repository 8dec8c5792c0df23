/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest known word to a mistyped one. */
#ifndef MICROVM_CLI_SUGGEST_H
#define MICROVM_CLI_SUGGEST_H

#include <stddef.h>

/*
 * The one of `count` candidates that differs from `word` by the fewest insertions, deletions,
 * changes and swaps of letters; NULL when even that one is too far away to be a guess.
 */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);

#endif
