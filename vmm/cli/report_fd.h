/* SPDX-License-Identifier: Apache-2.0 */
/* --report-fd of `run` and `boot`: the descriptor for the record of a run (vmm/trial/run_record.h).
 */
#ifndef MICROVM_CLI_REPORT_FD_H
#define MICROVM_CLI_REPORT_FD_H

#include "vmm/base/error.h"
#include "vmm/trial/run_record.h"

/* A row of the table of options; not in the help, since it is internal. */
#define REPORT_FD_ROW(offset)                                                                      \
    {                                                                                              \
        0, OPTION_TEXT, "report-fd", "FD", NULL, offset                                            \
    }

/*
 * The descriptor that the option names, closed in all programs that this one starts; -1 when
 * `text` is NULL. Errors: EINVAL, EBADF; then *fd is -1.
 */
int report_fd_take(const char *text, int *fd, struct error *err);

/* Writes the record there (-1: nowhere): `reason` is a message, "" or NULL = nothing failed. */
void report_fd_write(int fd, enum run_stage stage, int status, const char *reason);

#endif
