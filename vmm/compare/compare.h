/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run the same command under each isolation, again and again, and gather what it costs.
 *
 * The sandboxes take turns, in an order that rotates, so that whatever changes on the host
 * meanwhile falls on all of them alike; warm and cold runs alternate. Cold means: the host's kernel
 * was asked to forget the pages of the files that a run begins with (posix_fadvise,
 * POSIX_FADV_DONTNEED). One run under each isolation comes before all others and is not measured.
 */
#ifndef MICROVM_COMPARE_COMPARE_H
#define MICROVM_COMPARE_COMPARE_H

#include <stdbool.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/compare/compare_report.h"

#define COMPARE_RUNS_MAX 1000

struct compare_request {
    const struct sandbox *sandboxes[SANDBOX_COUNT];
    size_t sandbox_count;
    unsigned runs;
    const char *image;
    struct string_list options; /* of `run`, under every isolation */
    struct string_list command; /* empty = the image's own */
    bool costs;                 /* the built-in measures, whatever the command writes */
    bool disk;                  /* --disk is among the options */
    struct string_list files;   /* that a run begins with */
    const char *probes;         /* the program microvm-probes */
    /* `microvm` and its arguments for a bare guest that measures the machine itself. */
    struct string_list machine;
    int signal_fd; /* as of struct trial_request */
    /* What is being done now, for a person who waits; NULL = nobody does. */
    void (*progress)(const char *text);
};

/*
 * Fills *report, which the caller releases whatever is returned. A sandbox behind which nothing
 * runs is no error: its `reason` says why. Errors: EINTR (*signal is the number), ENOMEM, those of
 * trial_run().
 */
int compare_run(const struct compare_request *request, struct report *report, int *signal,
                struct error *err);

#endif
