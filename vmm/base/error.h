/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error object; each caller on its way up adds what was being done, and to what.
 *
 * Contract: a function that can fail takes `struct error *err` as its last argument and returns 0
 * (or a useful value >= 0) on success, a negative errno on failure. On failure it has filled *err
 * by error_set() or error_wrap(); on success it has not touched *err. The caller owns the object;
 * it needs no release. `err` may be null: then the caller only wants the code.
 */
#ifndef MICROVM_BASE_ERROR_H
#define MICROVM_BASE_ERROR_H

#include <stdbool.h>

#define ERROR_TEXT_SIZE 1024

struct error {
    int code;                   /* positive errno, 0 = no error */
    char text[ERROR_TEXT_SIZE]; /* one line for a person, without newline */
};

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        0, ""                                                                                      \
    }

/* Records `code` (positive errno) and a message; returns -code, so that `return error_set(...)`
 * works. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Same as error_set(), and appends ": " and the text of `code`, as perror does. */
int error_set_errno(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts "message: " before the text already there; returns `rc`, the failure that is passed on, with
 * and without an object.
 */
int error_wrap(struct error *err, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
