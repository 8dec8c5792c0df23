/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one command under one isolation, and records its output, its cost and its times.
 *
 * The run is a child that executes this program as `microvm run --isolation=NAME`, so that what is
 * measured is what a user would run. Everything in a result except times and statuses comes from
 * inside the sandbox. It is untrusted data: its size is limited here, and callers parse it strictly
 * and escape it.
 */
#ifndef MICROVM_TRIAL_TRIAL_H
#define MICROVM_TRIAL_TRIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/trial/run_record.h"

#define TRIAL_JOINS_MAX 4

struct trial_request {
    /* Arguments of this program instead of `run` and the four below; NULL = none. */
    const struct string_list *arguments;
    const struct sandbox *sandbox;
    const struct string_list *options; /* further options of `run`; NULL = none */
    const char *image;
    const struct string_list *command; /* behind IMAGE; NULL = the image's own */
    size_t output_max; /* bytes kept of each stream; the rest is counted and dropped */
    int signal_fd; /* signalfd of signals that the caller blocks: passed on to the run; -1 = none */
    /* cgroup.procs files, open for writing, that the run joins before its first instruction. */
    int joins[TRIAL_JOINS_MAX];
    size_t join_count;
    /* Called with the process id when the run has been started; NULL = not called. */
    void (*started)(void *opaque, pid_t pid);
    void *opaque;
};

enum trial_stream { TRIAL_OUTPUT, TRIAL_ERRORS, TRIAL_STREAMS };

struct trial_text {
    char *bytes;    /* a NUL follows; may hold others */
    size_t size;    /* bytes kept */
    uint64_t total; /* bytes written */
};

struct trial_result {
    int status;      /* as a shell's: exit status, or 128 + number of the signal that ended it */
    int interrupted; /* number of the signal that came by signal_fd, 0 = none */
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC: before the fork, after the wait */
    uint64_t first_byte_ns;    /* of standard output, when it arrived here; 0 = none */
    uint64_t cpu_us;           /* of the run and all that it has waited for */
    struct trial_text streams[TRIAL_STREAMS];
    bool recorded; /* the run wrote a record: */
    struct run_record record;
    json_t *timeline; /* the output of --timeline=json; NULL if it is missing or not JSON */
};

/*
 * Runs it to its end. Returns 0 when there was a run, however it ended. Errors: of pipe(2),
 * fork(2), memfd_create(2), ENOMEM. The caller releases *result whatever is returned.
 */
int trial_run(const struct trial_request *request, struct trial_result *result, struct error *err);
/* Safe on a zeroed object. */
#define AUTO_TRIAL_RESULT __attribute__((cleanup(trial_result_release)))
void trial_result_release(struct trial_result *result);

/* When the timeline says that `step` ("runtime", "exit") was reached, on CLOCK_MONOTONIC. */
bool trial_step(const struct trial_result *result, const char *step, uint64_t *at_ns);
/* A number of the timeline's counts at the end, such as "inside.cpu_us"; false = not in it. */
bool trial_count(const struct trial_result *result, const char *name, uint64_t *value);

/* Whether the run has no result of the command: microvm failed, or was killed, or the command could
 * not be executed (see result->record.stage). */
bool trial_failed(const struct trial_result *result);
/* Why, as a message: the reason of the record, else what is known. One line, safe to show. */
void trial_why(const struct trial_result *result, char *text, size_t size);

#endif
