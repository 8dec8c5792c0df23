/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's jail: what it gives up before a guest runs, as a ladder of steps. Each alone keeps
 * a monitor that a guest has taken over from what it forbids; docs/internals/threat-model.md says
 * what that is.
 *
 * jail_enter() is called while the process has one thread and has opened nothing by a name of its
 * own; jail_close() by each thread when it needs nothing more than its work.
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
    JAIL_CAPABILITIES, /* none, no way to new ones, no core dumps, nobody looks into it */
    JAIL_SYSCALLS,     /* by jail_close(): a list for each thread */
    JAIL_STEPS
};

struct jail_plan {
    int namespaces; /* CLONE_NEW… that the process was made with */
    uint32_t user;  /* to become, if it is root; 0 = stay */
    bool required;  /* a step that cannot be had is an error */
};

#define JAIL_PLAN_SIZE 48 /* bytes of its text */

/* The plan as the text of one argument, and back. Errors: EINVAL. */
void jail_plan_format(const struct jail_plan *plan, char text[JAIL_PLAN_SIZE]);
int jail_plan_parse(const char *text, struct jail_plan *plan, struct error *err);

struct jail_report {
    bool held[JAIL_STEPS];
    struct error why[JAIL_STEPS]; /* of those that are not */
};

/* The name of a step for people: "empty root directory". */
const char *jail_step_title(enum jail_step step);

/*
 * Climbs all steps but the last. Those that this host cannot give are noted, or, when all are
 * required, an error that names the first; without the capabilities' step it fails anyway.
 */
int jail_enter(const struct jail_plan *plan, struct jail_report *report, struct error *err);

/*
 * From here on the calling thread can make no system call but those of the lists; the first attempt
 * kills the process (SIGSYS). No way back. After jail_enter().
 */
int jail_close(const struct syscall_rules *lists, size_t count, struct error *err);

/*
 * What of it this host can give, found by a child process that climbs the steps and ends; root's
 * takes the user id `user`. Errors: of clone(2), of pipe(2), EIO (the child failed).
 */
int jail_try(uint32_t user, struct jail_report *report, struct error *err);

/*
 * Limits of the process, to be set last, since building a machine takes more: the largest file it
 * may write, and how many descriptors it may have. Errors: of setrlimit(2).
 */
int jail_limit(uint64_t file_size_max, unsigned descriptors_max, struct error *err);

#endif
