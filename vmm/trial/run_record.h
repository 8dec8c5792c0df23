/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a run of `microvm run` or `microvm boot` ended, as one line of JSON that the process writes
 * to the descriptor of --report-fd, an internal option:
 *
 *   {"stage":"command","status":127,"reason":"nosuch: executable file not found"}
 *
 * It comes from this program, not from inside the sandbox; only the reason may quote output.
 */
#ifndef MICROVM_TRIAL_RUN_RECORD_H
#define MICROVM_TRIAL_RUN_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#define RUN_RECORD_REASON_SIZE 512

/* How far the run got. */
enum run_stage {
    RUN_OPTIONS, /* the command line, and the programs and files that the run needs */
    RUN_IMAGE,   /* the image */
    RUN_SANDBOX, /* the instance, the bundle, the sandbox */
    RUN_COMMAND, /* the command could not be executed */
    RUN_STARTED, /* the command was started */
    RUN_STAGES,
};

struct run_record {
    enum run_stage stage;
    int status; /* exit status of the process */
    /* Printable: why microvm, or the start of the command, failed. "" = neither failed. */
    char reason[RUN_RECORD_REASON_SIZE];
};

/* Writes the line. Errors: of write(2), ENOMEM. */
int run_record_write(int fd, const struct run_record *record);

/* Parses such a line; false if it is not valid. */
bool run_record_parse(const char *text, size_t size, struct run_record *record);

#endif
