/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `microvm probe`: checks inside each sandbox, their results, and the layer that stopped each, with
 * the evidence.
 *
 *   probe_run()      runs microvm-probes under each isolation       probe_run.c, probe_load.c
 *   probe_results_*  parses its output, which is untrusted data     probe_results.c
 *   probe_host_*     the same values on the host                    probe_host.c
 *   probe_verdict()  the verdict on one result                      probe_verdict.c
 *   probe_show()     the report as a table or as JSON               probe_show.c, probe_json.c
 */
#ifndef MICROVM_PROBE_PROBE_H
#define MICROVM_PROBE_PROBE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/sandbox/registry.h"

#define PROBE_CALLS_MAX    1024 /* numbers of system calls are below */
#define PROBE_ROWS_MAX     80
#define PROBE_RESULT_MAX   160
#define PROBE_EVIDENCE_MAX 400

enum probe_layer {
    PROBE_UNKNOWN, /* not tested, or there is no evidence for a layer */
    PROBE_NOTHING, /* nothing stopped it: the host's kernel executed it */
    PROBE_NAMESPACE,
    PROBE_CGROUP,
    PROBE_CAPABILITY,
    PROBE_SECCOMP,
    PROBE_MOUNT,      /* read-only, or something else is mounted over it */
    PROBE_KERNEL,     /* this kernel does not implement it */
    PROBE_HYPERVISOR, /* the guest's kernel handled it; the hypervisor isolates the host's */
    PROBE_OWN_KERNEL, /* the same without a hypervisor: gVisor's kernel is a program */
    PROBE_LAYERS,
};

struct probe_cell {
    char result[PROBE_RESULT_MAX]; /* safe to show (text.h) */
    enum probe_layer layer;
    char evidence[PROBE_EVIDENCE_MAX]; /* safe to show (text.h) */
};

struct probe_row {
    const char *name;         /* in JSON */
    const char *group;        /* heading in the table */
    const char *title;        /* in the table */
    const char *tries;        /* what is done */
    const char *side_effects; /* "none: ..." */
    struct probe_cell cells[SANDBOX_COUNT];
};

/* What is known of the system calls of one sandbox. */
struct probe_calls {
    bool valid;
    bool filter_known; /* the filters were tested; else every call counts as allowed by seccomp */
    char letters[PROBE_CALLS_MAX + 1]; /* one for each number, see guest/probes/check_calls.c */
    unsigned known, stopped, present, absent, untested;
};

/* System calls that a thread of the monitor may make. */
struct probe_thread_calls {
    const char *thread; /* "vcpu", "loop" */
    unsigned calls[PROBE_CALLS_MAX];
    size_t count;
};
#define PROBE_THREADS 2

struct probe_report {
    const char *image;
    const struct sandbox *sandboxes[SANDBOX_COUNT];
    size_t sandbox_count;
    char why[SANDBOX_COUNT]
            [PROBE_EVIDENCE_MAX];   /* why a sandbox was not tested; "" = it was tested */
    bool own_kernel[SANDBOX_COUNT]; /* its kernel is not the host's */
    struct probe_row rows[PROBE_ROWS_MAX];
    size_t row_count;
    struct probe_calls calls[SANDBOX_COUNT];
    const struct probe_thread_calls *monitor_calls; /* PROBE_THREADS of them, the request's */
    int interrupted; /* number of the signal that ended the checks; 0 = none */
};

struct probe_request {
    const char *image;
    const struct sandbox *sandboxes[SANDBOX_COUNT];
    size_t sandbox_count;
    const char *program;                            /* path of microvm-probes */
    uint64_t memory_bytes;                          /* -m of every run; 0 = the default of run */
    uint64_t hog_memory_bytes;                      /* -m while memory is tried */
    const struct probe_thread_calls *monitor_calls; /* PROBE_THREADS of them */
    int signal_fd;                                  /* as in struct trial_request */
};

/*
 * Runs the checks under every isolation. The report says which could not be tested. Errors: ENOMEM,
 * those of trial_run().
 */
int probe_run(const struct probe_request *request, struct probe_report *report, struct error *err);

/* Name of a layer, "capability". */
const char *probe_layer_name(enum probe_layer layer);

struct probe_style {
    unsigned columns; /* of the terminal */
    bool utf8;
    bool verbose; /* evidence, side effects, lists of system calls */
};

/* Writes the table. */
void probe_show(const struct probe_report *report, const struct probe_style *style, FILE *out);
/* Writes one JSON object. Errors: ENOMEM. */
int probe_write_json(const struct probe_report *report, FILE *out, struct error *err);

#endif
