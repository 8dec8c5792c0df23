/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit statistics of a VM as tables: exits by cause, accesses by device and register group,
 * queues by device, in the terms of KVM's API and of virtio 1.2. Every number is a count of the
 * timeline.
 */
#ifndef MICROVM_REPORT_EXIT_STATISTICS_H
#define MICROVM_REPORT_EXIT_STATISTICS_H

#include <stdio.h>

#include "vmm/report/timeline.h"

/* `counts` are those at the end of the VM. Without any, writes that they are not known. */
void exit_statistics_write(const struct timeline_counts *counts, FILE *out);

#endif
