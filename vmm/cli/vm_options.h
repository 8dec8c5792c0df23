/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that start a machine share: how large is the machine, where does the
 * timeline go, which signals end a run. */
#ifndef MICROVM_CLI_VM_OPTIONS_H
#define MICROVM_CLI_VM_OPTIONS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/monitor/monitor_link.h"
#include "vmm/report/timeline.h"

#define VM_OPTIONS_MEMORY_DEFAULT (512ULL << 20)
#define VM_OPTIONS_MEMORY_HELP    "memory of the machine, such as 512m or 2g (default 512m)"

/* The memory of a machine for what --memory said (0: nothing): default, whole MiB, at least what a
 * guest of ours needs when `linux_guest`. Errors: ERANGE. */
int vm_options_memory(uint64_t asked, bool linux_guest, uint64_t *bytes, struct error *err);

/*
 * Reads --cpus (NULL: not given): the number of vCPUs, and the limit in millicpus (0 = not given).
 * Errors: EINVAL, ERANGE.
 */
int vm_options_cpus(const char *text, unsigned *vcpus, uint32_t *millicpus, struct error *err);

/* What --jail and --jail-uid said (NULL: nothing). Errors: EINVAL, ERANGE. */
#define VM_OPTIONS_JAIL_VALUE    "auto|required"
#define VM_OPTIONS_JAIL_HELP     "refuse to run where the monitor's jail cannot be complete"
#define VM_OPTIONS_JAIL_UID_HELP "first user id of root's monitors (default 2000000000)"
int vm_options_jail(const char *mode, const char *uid, struct monitor_jail *jail,
                    struct error *err);

/* Checks the value of --timeline: "" (chart), "json", "json:FILE"; NULL: no timeline. */
#define VM_OPTIONS_TIMELINE_HELP  "show where the time went, on standard error or in FILE"
#define VM_OPTIONS_TIMELINE_VALUE "json[:FILE]"
int vm_options_timeline_check(const char *value, struct error *err);
/* Writes the timeline as `value` (checked before) says. A file that cannot be written is told. */
void vm_options_timeline_write(const struct timeline *timeline, const char *value);

/* Is text shown in UTF-8? As locale(7): the first variable of the three that is set decides. */
bool vm_options_is_utf8(void);

/*
 * Blocks SIGINT, SIGTERM, SIGHUP, SIGQUIT (nothing ends this process between making an instance and
 * removing it) and SIGWINCH: whoever waits for the machine reads them from a signalfd of this set,
 * which is written to *blocked unless that is NULL.
 */
void vm_options_block_signals(sigset_t *blocked);

#endif
