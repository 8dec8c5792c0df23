/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls a container may make: docker's defaults for docker's default
 * capabilities, as data.
 *
 * The list in seccomp_profile.c says what is taken away; a filter is made of what is left, so that
 * a call nobody has thought about is closed, not open. Two users make the same filter of it:
 * config.json for any OCI runtime (seccomp.c), and a program that is run when microvm is built
 * (seccomp_compile.c), whose result spares crun to do it anew for every container.
 */
#ifndef MICROVM_OCI_SECCOMP_PROFILE_H
#define MICROVM_OCI_SECCOMP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_PROFILE_DENIED 1 /* EPERM: the answer to all that is not allowed */

/* The next name that is allowed whatever its arguments; NULL behind the last. *position is 0 at
 * first. A name can come twice. */
const char *seccomp_profile_next(size_t *position);

enum seccomp_comparison {
    SECCOMP_EQUAL,
    SECCOMP_BELOW,
    SECCOMP_MASKED_CLEAR, /* none of the bits of `value` is set */
    SECCOMP_NEVER,        /* answered by `error` */
};

/* A call that is allowed when argument `index` compares so with `value`; with several rules of one
 * name, when one of them holds. */
struct seccomp_rule {
    const char *name;
    unsigned index;
    enum seccomp_comparison comparison;
    uint64_t value;
    int error;
};

extern const struct seccomp_rule seccomp_profile_rules[];
extern const size_t seccomp_profile_rule_count;

#endif
