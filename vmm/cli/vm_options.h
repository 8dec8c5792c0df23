/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that start a VM share: its size, the output of the timeline, and the signals
 * that end a run. */
#ifndef MICROVM_CLI_VM_OPTIONS_H
#define MICROVM_CLI_VM_OPTIONS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/monitor/monitor_link.h"
#include "vmm/report/timeline.h"

#define VM_OPTIONS_MEMORY_DEFAULT (512ULL << 20)
#define VM_OPTIONS_MEMORY_HELP    "memory of the VM, such as 512m or 2g (default 512m)"

/* The memory of a VM for --memory (0: not given), in whole MiB; with `linux_guest`, at least what
 * the bundled guest needs. Errors: ERANGE. */
int vm_options_memory(uint64_t asked, bool linux_guest, uint64_t *bytes, struct error *err);

/*
 * Reads --cpus (NULL: not given): the number of vCPUs, and the limit in millicpus (0 = not given).
 * Errors: EINVAL, ERANGE.
 */
int vm_options_cpus(const char *text, unsigned *vcpus, uint32_t *millicpus, struct error *err);

/* Reads --jail and --jail-uid (NULL: not given). Errors: EINVAL, ERANGE. */
#define VM_OPTIONS_JAIL_VALUE    "auto|required"
#define VM_OPTIONS_JAIL_HELP     "required: do not run if the monitor's jail is incomplete"
#define VM_OPTIONS_JAIL_UID_HELP "first user id of root's monitors (default 2000000000)"
int vm_options_jail(const char *mode, const char *uid, struct monitor_jail *jail,
                    struct error *err);

/* Checks the value of --timeline: "" (chart), "json", "json:FILE"; NULL: no timeline. */
#define VM_OPTIONS_TIMELINE_HELP  "show how long each step took, on standard error or in FILE"
#define VM_OPTIONS_TIMELINE_VALUE "json[:FILE]"
int vm_options_timeline_check(const char *value, struct error *err);
/* Writes the timeline as `value` (checked before) says. Logs an error if it cannot be written. */
void vm_options_timeline_write(const struct timeline *timeline, const char *value);

/* Whether text is shown in UTF-8: as locale(7), the first of three variables that is set decides.
 */
bool vm_options_is_utf8(void);

/*
 * Blocks SIGINT, SIGTERM, SIGHUP, SIGQUIT (so that nothing ends this process before it has removed
 * its instance) and SIGWINCH. The wait for the VM reads them from a signalfd of this set, which is
 * written to *blocked unless that is NULL.
 */
void vm_options_block_signals(sigset_t *blocked);

#endif
