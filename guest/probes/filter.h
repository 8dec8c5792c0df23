/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system call filters of this process would do with a call, without executing it.
 *
 * How (seccomp(2), "Seccomp user-space notification"): of several filters the strictest result
 * wins, in the order kill, trap, errno, notify, trace, log, allow. So a child installs one more
 * filter, which returns "notify" for every call that has a mark in its sixth argument. If an older
 * filter refuses or kills, that wins. If all filters allow the call, the parent is notified, and
 * replies with an errno that nothing else uses.
 */
#ifndef MICROVM_GUEST_PROBES_FILTER_H
#define MICROVM_GUEST_PROBES_FILTER_H

#include <stddef.h>

enum filter_verdict { FILTER_UNKNOWN, FILTER_ALLOWS, FILTER_REFUSES, FILTER_KILLS };

#define FILTER_ARGUMENTS 5 /* the sixth is the mark */

struct filter_query {
    long call;                        /* number of the system call */
    long arguments[FILTER_ARGUMENTS]; /* as a filter sees them */
    enum filter_verdict verdict;
    int error; /* errno of FILTER_REFUSES */
};

/*
 * Fills verdict and error of each query. Returns 0, or -1 with the reason in *why when filters
 * cannot be tested here; all verdicts are FILTER_UNKNOWN then.
 */
int filter_try(struct filter_query *queries, size_t count, char *why, size_t why_size);

#endif
