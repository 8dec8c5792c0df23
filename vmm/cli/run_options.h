/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `run`: one table, for `run` and for the commands that pass them on to runs. */
#ifndef MICROVM_CLI_RUN_OPTIONS_H
#define MICROVM_CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/string_list.h"
#include "vmm/cli/options.h"

struct run_options {
    bool interactive;
    bool terminal;
    bool remove;
    bool read_only;
    bool earlycon;
    const char *name;
    struct string_list env;
    struct string_list env_files;
    const char *workdir;
    const char *user;
    const char *entrypoint;
    uint64_t memory;
    const char *cpus;
    const char *hostname;
    struct string_list tmpfs;
    uint64_t disk;
    const char *kernel;
    const char *initramfs;
    const char *network;
    struct string_list publish;
    const char *isolation;
    const char *runtime;
    const char *pids;
    const char *cgroup_parent;
    const char *program;
    const char *timeline;
    const char *explain;
    const char *jail;
    const char *jail_uid;
    const char *report_fd;
};

extern const struct option_table run_option_table;

/* Frees the lists. */
void run_options_release(struct run_options *options);

/* Why a command that starts several runs cannot pass this option on; NULL: it can. */
const char *run_option_refusal(const char *name);

#endif
