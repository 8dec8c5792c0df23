/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's jail: what it drops before a guest runs, in steps. Each step alone confines a
 * monitor that a guest has taken over; docs/internals/threat-model.md says what each one forbids.
 *
 * jail_enter() is called while the process has one thread and has opened no file by name;
 * jail_close() by each thread, once its setup is done.
 */
#ifndef MICROVM_CONFINE_JAIL_H
#define MICROVM_CONFINE_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/syscall_rule.h"

enum jail_step {
    JAIL_NAMESPACES, /* mount, pid, network, UTS and IPC namespaces, without root also a user one */
    JAIL_EMPTY_ROOT, /* nothing in its root directory */
    JAIL_LANDLOCK,   /* no file by its name */
    JAIL_USER,       /* started by root: a user of its own */
    JAIL_CAPABILITIES, /* none, no way to gain any, no core dumps */
    JAIL_SYSCALLS,     /* by jail_close(): a list for each thread */
    JAIL_STEPS
};

struct jail_plan {
    int namespaces; /* CLONE_NEW… with which the process was created */
    uint32_t user;  /* to switch to, if it is root; 0 = none */
    bool required;  /* a step that fails is an error */
};

#define JAIL_PLAN_SIZE 48 /* bytes of its text */

/* The plan as the text of one argument, and back. Errors: EINVAL. */
void jail_plan_format(const struct jail_plan *plan, char text[JAIL_PLAN_SIZE]);
int jail_plan_parse(const char *text, struct jail_plan *plan, struct error *err);

struct jail_report {
    bool held[JAIL_STEPS];
    struct error why[JAIL_STEPS]; /* of those that are not held */
};

/* The name of a step, for messages: "empty root directory". */
const char *jail_step_title(enum jail_step step);

/*
 * Takes all steps but the last. A step that this host does not allow is noted in the report; if all
 * are required, and always for JAIL_CAPABILITIES, it is an error that names the step.
 */
int jail_enter(const struct jail_plan *plan, struct jail_report *report, struct error *err);

/*
 * From here on the calling thread can only make the system calls of the lists; any other kills the
 * process (SIGSYS). Cannot be undone. After jail_enter().
 */
int jail_close(const struct syscall_rules *lists, size_t count, struct error *err);

/*
 * Which steps this host allows: a child process takes them and exits; started by root, it switches
 * to user ID `user`. Errors: of clone(2), of pipe(2), EIO (the child failed).
 */
int jail_try(uint32_t user, struct jail_report *report, struct error *err);

/*
 * Limits of the process, to be set last, since building a VM needs more: the largest file it may
 * write, and the number of descriptors it may have. Errors: of setrlimit(2).
 */
int jail_limit(uint64_t file_size_max, unsigned descriptors_max, struct error *err);

#endif
