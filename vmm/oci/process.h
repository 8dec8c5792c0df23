/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's rules for what finally runs: an image's config and a person's options become
 * arguments, environment, directory, user and stop signal. Pure: reads no file, changes nothing.
 */
#ifndef MICROVM_OCI_PROCESS_H
#define MICROVM_OCI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/config.h"

/* Every null and every empty list means "as the image says". */
struct process_options {
    struct string_list arguments; /* COMMAND and its arguments */
    const char *entrypoint; /* --entrypoint; "" clears the image's (and its Cmd, as docker does) */
    struct string_list
        environment;         /* made by environment_add_option() and environment_add_file() */
    const char *working_dir; /* -w; must be absolute */
    const char *user;        /* -u: user[:group], names or numbers */
    const char *hostname;    /* required: becomes HOSTNAME */
    bool terminal;           /* -t: TERM=xterm unless something sets it */
};

struct process {
    struct string_list arguments;   /* at least one */
    struct string_list environment; /* "K=V", each K once */
    char *working_dir;              /* absolute; created by the runtime when missing */
    uint32_t uid;
    uint32_t gid;
    uint32_t *groups; /* additional groups, the primary one first, as docker passes them */
    size_t group_count;
    int stop_signal; /* number, SIGTERM by default */
};

/*
 * Resolves; `passwd` and `group` are the texts of the image's files ("" for none).
 * Errors: EINVAL (no command, relative directory, bad signal or user number),
 * ENOENT ("unable to find user X: no matching entries in passwd file"), ENOMEM.
 * On success release by process_release(); on failure nothing needs release.
 */
int process_resolve(const struct image_config *config, const char *passwd, const char *group,
                    const struct process_options *options, struct process *process,
                    struct error *err);
void process_release(struct process *process);

/* Number of a signal written as "15", "TERM", "SIGTERM" or "SIGRTMIN+3"; -EINVAL for none. */
int process_signal_number(const char *text);

#endif
