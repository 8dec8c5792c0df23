/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The result of one check, with the evidence for the layer that stopped it: what the system call
 * filters return for the call, whether the needed capability is held, the mount of the path. It is
 * written as one line of JSON; the verdict is found on the host.
 */
#ifndef MICROVM_GUEST_PROBES_FACT_H
#define MICROVM_GUEST_PROBES_FACT_H

#include "guest/probes/json_line.h"

#define FACT_TEXT_MAX 2048
#define FACT_PATH_MAX 256

enum fact_outcome {
    FACT_SEEN,     /* something could be seen: `text` */
    FACT_ALLOWED,  /* the kernel would do it */
    FACT_REFUSED,  /* with `error` */
    FACT_EMPTY,    /* it could be opened, and is empty */
    FACT_UNTESTED, /* it could not be tested: `text` says why */
};

struct fact {
    enum fact_outcome outcome;
    int error;
    char text[FACT_TEXT_MAX];
    long call; /* the system call of the check; -1 = none */
    long arguments[5];
    int capability;           /* CAP_* that it needs; -1 = none */
    char path[FACT_PATH_MAX]; /* "" = none */
};

/* Initializes: FACT_UNTESTED, no call, no capability, no path. */
void fact_begin(struct fact *fact);
void fact_set_text(struct fact *fact, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* From the result of a system call: >= 0 is FACT_ALLOWED, else FACT_REFUSED with errno. */
void fact_set_result(struct fact *fact, long result);
/* As above; the errno `effective` means that all permission checks succeeded. */
void fact_set_result_unless(struct fact *fact, long result, int effective);

/* Writes the line of the check of that name. */
void fact_write(const struct fact *fact, const char *check);

/* Effective capabilities as the kernel gives them; 0 when they cannot be read. */
uint64_t fact_capabilities(void);

#endif
