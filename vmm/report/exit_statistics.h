/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine cost, as a table for people: exits by cause, accesses by device and
 * register group, queues by device, in the words of KVM's API and of virtio 1.2. Made of the counts
 * of a timed machine (machine.h), so that every number of it is one of the timeline's, too.
 */
#ifndef MICROVM_REPORT_EXIT_STATISTICS_H
#define MICROVM_REPORT_EXIT_STATISTICS_H

#include <stdio.h>

#include "vmm/report/timeline.h"

/* `counts` are those of the machine's end. Says so when the monitor has told none. */
void exit_statistics_write(const struct timeline_counts *counts, FILE *out);

#endif
