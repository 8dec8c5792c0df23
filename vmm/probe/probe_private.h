/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that run `probe` share. */
#ifndef MICROVM_PROBE_PROBE_PRIVATE_H
#define MICROVM_PROBE_PROBE_PRIVATE_H

#include "vmm/probe/probe.h"
#include "vmm/trial/trial.h"

#define PROBE_PIDS_LIMIT 64

/* One run of microvm-probes with a subcommand. */
struct probe_subcommand {
    const struct sandbox *sandbox;
    const char *name;     /* of microvm-probes */
    const char *argument; /* NULL = none */
    uint64_t memory_bytes;
    void (*started)(void *opaque, pid_t pid);
    void *opaque;
};

/*
 * Runs it. *results gets its results, NULL if it could not be run: then why[] says why. Errors: of
 * trial_run().
 */
int probe_run_subcommand(const struct probe_request *request,
                         const struct probe_subcommand *subcommand, json_t **results,
                         char why[PROBE_EVIDENCE_MAX], int *interrupted, struct error *err);

/* Adds a row to the report; NULL when it is full. */
struct probe_row *probe_add_row(struct probe_report *report, const char *name, const char *group,
                                const char *title, const char *tries, const char *side_effects);

/* Tries both limits inside a sandbox, and fills its cells of the four rows. */
int probe_try_limits(const struct probe_request *request, struct probe_report *report,
                     size_t sandbox, struct probe_row *rows[4], struct error *err);

#endif
