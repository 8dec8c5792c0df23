/* SPDX-License-Identifier: Apache-2.0 */
/* `run --explain`: what is gathered on the way of a run, and its report at the end. */
#ifndef MICROVM_REPORT_EXPLAIN_H
#define MICROVM_REPORT_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/base/error.h"
#include "vmm/report/syscall_counts.h"
#include "vmm/report/timeline.h"

struct explanation {
    bool live;                  /* also trace as it happens */
    bool machine;               /* it ran in a VM, which has exit statistics */
    const char *calls_unseen;   /* why system calls cannot be counted; NULL = they can */
    struct syscall_table calls; /* empty if the container's init has not reported them */
};

/* Checks the value of --explain ("" or "live", NULL = not given), with -t or not. Errors: EINVAL.
 */
int explain_check(const char *value, bool terminal, struct error *err);

/* Writes the container's system calls, and the exit statistics of the VM. */
void explain_write(const struct explanation *explanation, const struct timeline *timeline,
                   FILE *out);

#endif
