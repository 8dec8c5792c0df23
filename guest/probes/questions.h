/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: the questions of the word `ask`, in two tables: what can be seen (ask_see.c) and what
 * can be done (ask_do.c). Each is asked in a child of its own, so that whatever it changes about
 * its process ends with it. Why each is harmless stands in docs/guide/probe.md and in the host's
 * table, vmm/probe/probe_questions.c.
 */
#ifndef MICROVM_GUEST_PROBES_QUESTIONS_H
#define MICROVM_GUEST_PROBES_QUESTIONS_H

#include <sys/types.h>

#include "guest/probes/fact.h"

/* What the host has told. */
struct ask_context {
    pid_t outside; /* number of a process of the host that expects to be asked; 0 = none */
};

struct ask_question {
    const char *name;
    void (*ask)(const struct ask_context *context, struct fact *fact);
};

/* Both end with a null name. */
extern const struct ask_question ask_see_questions[];
extern const struct ask_question ask_do_questions[];

/* The lines of the survey of system calls (ask_calls.c). */
void ask_calls(void);

#endif
