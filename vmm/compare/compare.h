/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the same command under each isolation several times, and measures what it costs.
 *
 * The runs are interleaved (round robin, with a rotating start), so that a change on the host
 * affects all sandboxes alike; warm and cold runs alternate. Before a cold run, the pages of the
 * files that it needs are dropped from the host's page cache (posix_fadvise, POSIX_FADV_DONTNEED).
 * The first run under each isolation is not measured.
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
    bool costs;                 /* the built-in measures, even if the command writes output */
    bool disk;                  /* --disk is among the options */
    struct string_list files;   /* that a cold run has to read */
    const char *probes;         /* the program microvm-probes */
    /* Arguments of `microvm` for a bare guest that measures the VM itself. */
    struct string_list machine;
    int signal_fd; /* as in struct trial_request */
    /* Shows what is being done; NULL = nobody waits for it. */
    void (*progress)(const char *text);
};

/*
 * Fills *report, which the caller releases whatever is returned. A sandbox in which nothing runs
 * is not an error: its `reason` says why. Errors: EINTR (*signal is the number), ENOMEM, those of
 * trial_run().
 */
int compare_run(const struct compare_request *request, struct report *report, int *signal,
                struct error *err);

#endif
