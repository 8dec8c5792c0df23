/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor process. */
#ifndef MICROVM_MONITOR_MONITOR_H
#define MICROVM_MONITOR_MONITOR_H

/* The monitor process: builds the machine of DIRECTORY/machine.json, runs it, serves control.sock;
 * exit status. */
int monitor_main(const char *directory);

#endif
