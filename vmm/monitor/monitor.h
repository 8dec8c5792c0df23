/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor process. */
#ifndef MICROVM_MONITOR_MONITOR_H
#define MICROVM_MONITOR_MONITOR_H

/*
 * Builds the machine that the descriptor "machine" describes, runs it, serves the clients at
 * "control" until it ends; exit status. `names`: of the descriptors that monitor_launch() hands
 * over (vmm/base/fd_table.h); nothing is opened by a path.
 */
int monitor_main(const char *names);

#endif
