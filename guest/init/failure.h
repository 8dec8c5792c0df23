/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error object of init: why the container cannot run, in one line for a person.
 *
 * Contract: a function that can fail takes a `struct failure *` last and returns 0 (or a useful
 * value >= 0) on success, -1 on failure with *failure filled.
 */
#ifndef MICROVM_GUEST_INIT_FAILURE_H
#define MICROVM_GUEST_INIT_FAILURE_H

#include <stdint.h>

#define FAILURE_TEXT_SIZE 1000 /* with the exit status it fits into one frame */

#define FAILURE_RUNNER         125 /* docker's statuses */
#define FAILURE_NOT_EXECUTABLE 126
#define FAILURE_NOT_FOUND      127

struct failure {
    uint8_t status;
    char text[FAILURE_TEXT_SIZE];
};

/* Fills *failure with status 125; returns -1, so that `return failure_set(...)` works. */
int failure_set(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As failure_set(), and appends ": " and the text of errno. */
int failure_set_errno(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
