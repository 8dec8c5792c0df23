/* SPDX-License-Identifier: Apache-2.0 */
/* The output of microvm-probes under an isolation, parsed as untrusted data. */
#ifndef MICROVM_PROBE_PROBE_RESULTS_H
#define MICROVM_PROBE_PROBE_RESULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/probe/probe.h"

#define PROBE_OUTPUT_MAX (1U << 20) /* of one run */

/*
 * An object that holds the result of each line by the name of its check; of two lines with the same
 * name the first counts. Lines that are not a flat JSON object with a name are ignored, and so are
 * lines beyond a limit. NULL = out of memory. The caller owns it.
 */
json_t *probe_results_parse(const char *text, size_t size);

/* A member as text, number or boolean; NULL, -1, false if it is missing or has another type. */
const char *probe_result_text(const json_t *result, const char *member);
long long probe_result_number(const json_t *result, const char *member);
bool probe_result_truth(const json_t *result, const char *member);

/* Parses the list of system calls in the result "calls"; false if it is malformed. */
bool probe_calls_parse(const json_t *result, struct probe_calls *calls);

#endif
