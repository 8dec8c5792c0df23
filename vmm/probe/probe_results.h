/* SPDX-License-Identifier: Apache-2.0 */
/* What microvm-probes wrote under an isolation, read as untrusted data. */
#ifndef MICROVM_PROBE_PROBE_RESULTS_H
#define MICROVM_PROBE_PROBE_RESULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/probe/probe.h"

#define PROBE_OUTPUT_MAX (1U << 20) /* of one run */

/*
 * An object of what each line says, by the name of its check; of two with one name the first
 * counts. Lines that are no flat JSON object with a name are left out, and so is what comes after
 * too many of them. NULL = no memory. The caller owns it.
 */
json_t *probe_results_parse(const char *text, size_t size);

/* A member as text, number or truth; NULL, -1, false when there is none of that kind. */
const char *probe_result_text(const json_t *result, const char *member);
long long probe_result_number(const json_t *result, const char *member);
bool probe_result_truth(const json_t *result, const char *member);

/* Takes the survey of system calls out of the result "calls"; false when it is not well formed. */
bool probe_calls_parse(const json_t *result, struct probe_calls *calls);

#endif
