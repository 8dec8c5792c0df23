/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the host, which `probe` compares with those from inside. */
#ifndef MICROVM_PROBE_PROBE_HOST_H
#define MICROVM_PROBE_PROBE_HOST_H

#include <jansson.h>

/*
 * An object with what the checks of the same names would find on the host: release, version,
 * command_line, boot_id, hostname, processes, mounts, modules, block_classes, chroot (device
 * and inode of "/") and the namespaces ns_mnt, ns_pid, ... What cannot be read is missing. NULL =
 * out of memory. The caller owns it.
 */
json_t *probe_host_look(void);

/* Processes on the host; -1 when /proc cannot be read. */
int probe_host_processes(void);

#endif
