/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the layer that stopped a check, from evidence alone: the result of the filters, the held
 * capabilities, the mounts, and the values of the host.
 */
#ifndef MICROVM_PROBE_PROBE_VERDICT_H
#define MICROVM_PROBE_PROBE_VERDICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/probe/probe.h"

enum probe_kind {
    PROBE_SEES_KERNEL, /* a value of the kernel: the host's or another */
    PROBE_SEES_SPACE,  /* a value of a namespace: the host's or another */
    PROBE_SEES,        /* something in the files given to it */
    PROBE_OUTSIDE,     /* it concerns a process of the host */
    PROBE_ACTS,        /* it would change something, in the namespace if there is one */
};

struct probe_check {
    const char *name; /* in the output of microvm-probes */
    const char *group;
    const char *title;
    enum probe_kind kind;
    const char *space; /* "ns_pid": the namespace in question; "" = none */
    const char *tries;
    const char *side_effects;
};

extern const struct probe_check probe_checks[];
extern const size_t probe_check_count;

/* What is known of one sandbox. */
struct probe_view {
    const struct sandbox *sandbox;
    const json_t *results; /* of probe_results_parse() */
    const json_t *host;    /* of probe_host_look() */
    bool own_kernel;       /* probe_has_own_kernel() */
};

/* Whether its kernel is not the host's: by the boot id, else by the version. */
bool probe_has_own_kernel(const json_t *results, const json_t *host);

/* The layer of a kernel of its own, for a sandbox that has one. */
enum probe_layer probe_own_kernel_layer(const struct sandbox *sandbox);

/* Fills the cell of one check. */
void probe_verdict(const struct probe_check *check, const struct probe_view *view,
                   struct probe_cell *cell);

#endif
