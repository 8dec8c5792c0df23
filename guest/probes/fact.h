/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one check brought to light, with all that can tell which layer did it:
 * what the system call filters say to that call, whether the capability that it takes is held,
 * which mount lies over the path. Told as one line of JSON; the verdict is given outside.
 */
#ifndef MICROVM_GUEST_PROBES_FACT_H
#define MICROVM_GUEST_PROBES_FACT_H

#include "guest/probes/json_line.h"

#define FACT_TEXT_MAX 2048
#define FACT_PATH_MAX 256

enum fact_outcome {
    FACT_SEEN,     /* something could be seen: `text` */
    FACT_ALLOWED,  /* the kernel was ready to do it */
    FACT_REFUSED,  /* `error` says how */
    FACT_EMPTY,    /* it could be opened, and there was nothing in it */
    FACT_UNTESTED, /* it could not be tested: `text` says why */
};

struct fact {
    enum fact_outcome outcome;
    int error;
    char text[FACT_TEXT_MAX];
    long call; /* the system call that matters; -1 = none */
    long arguments[5];
    int capability;           /* CAP_* that it takes; -1 = none */
    char path[FACT_PATH_MAX]; /* "" = none */
};

/* An object with nothing found yet: FACT_UNTESTED, no call, no capability, no path. */
void fact_begin(struct fact *fact);
void fact_set_text(struct fact *fact, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* From the result of a system call: >= 0 is FACT_ALLOWED, else FACT_REFUSED with errno. */
void fact_set_result(struct fact *fact, long result);
/* As above; `effective` is an errno that says that all checks of rights had been passed. */
void fact_set_result_unless(struct fact *fact, long result, int effective);

/* Writes the line of the check of that name. */
void fact_tell(const struct fact *fact, const char *check);

/* Effective capabilities as the kernel gives them; 0 when they cannot be read. */
uint64_t fact_capabilities(void);

#endif
