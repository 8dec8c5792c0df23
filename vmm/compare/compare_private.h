/* SPDX-License-Identifier: Apache-2.0 */
/* What the runs of the command (compare.c) and the built-in measures (compare_costs.c) share. */
#ifndef MICROVM_COMPARE_COMPARE_PRIVATE_H
#define MICROVM_COMPARE_COMPARE_PRIVATE_H

#include "vmm/compare/compare.h"
#include "vmm/trial/run_group.h"
#include "vmm/trial/trial.h"

struct comparison {
    const struct compare_request *request;
    struct report *report;
    bool grouped;                    /* runs get cgroups of their own */
    char ungrouped[ERROR_TEXT_SIZE]; /* why not */
    unsigned run, run_count;         /* for the progress */
    int signal;
};

/* Shows the progress: "run 3 of 24: micro-VM, cold". */
void comparison_progress(struct comparison *comparison, size_t sandbox, const char *what);

/*
 * Adds the user's options of `run` that this sandbox accepts; with `own_program` without those that
 * choose the program. Returns 0 or -ENOMEM.
 */
int comparison_add_options(const struct comparison *comparison, size_t sandbox, bool own_program,
                           struct string_list *options);

/* 0, or -EINTR when a signal has ended this run. */
int comparison_check(struct comparison *comparison, const struct trial_result *result,
                     struct error *err);

/* compare_costs.c: the measures of microvm-probes under each isolation, and of a bare VM. */
unsigned costs_run_count(const struct comparison *comparison);
int costs_measure(struct comparison *comparison, struct error *err);

#endif
