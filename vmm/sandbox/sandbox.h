/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: what runs a bundle: one interface, a virtual machine (sandbox_vm.c) or a plain namespace
 * container (sandbox_container.c) behind it, so that both see the same request.
 */
#ifndef MICROVM_SANDBOX_SANDBOX_H
#define MICROVM_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/oci/bundle.h"
#include "vmm/report/explain.h"
#include "vmm/report/timeline.h"
#include "vmm/sandbox/id_map.h"

/* In the directory: path of the control group of a container on this machine (vmm/base/cgroup.h).
 */
#define SANDBOX_CGROUP_FILE "cgroup"

/* Limits that the user has set; 0 = not. */
struct sandbox_limits {
    uint64_t memory_bytes;
    uint32_t cpu_thousandths;
    uint64_t pids;
};

struct sandbox_request {
    /* What the user asked for; the pointers are the command line's, NULL = the default. */
    bool interactive; /* -i: standard input reaches the command */
    bool terminal;    /* -t */
    bool earlycon;
    uint64_t disk_bytes;   /* --disk: size of the writable layer's disk; 0 = in memory */
    uint64_t memory_bytes; /* of a machine */
    unsigned vcpu_count;   /* of a machine */
    struct sandbox_limits limits;
    const char *kernel;
    const char *initramfs;
    const char *runtime;
    const char *cgroup_parent;

    /* What prepare() has found. */
    char *kernel_path;
    char *initramfs_path;
    char *init_path;
    char *runtime_path;
    bool runtime_is_ours;
    struct id_map ids; /* without root */

    /* What place() has decided. */
    char *bundle_path; /* directory of the bundle's files, where the runtime runs */
    char *root_mount;  /* the container's root file system there */
    char *cgroup_path; /* of the container on this machine; NULL = none */

    /* The instance's: its name, directory (path, and open), lock, and listener at control.sock. */
    const char *name;
    const char *directory;
    int directory_fd;
    int lock_fd;
    int *control_listener; /* consumed by a monitor */

    const struct bundle *bundle; /* config.json and its side files */
    const char *root_path;       /* squashfs of the image, for as long as this process lives */
    const char *hostname;
    struct timeline *timeline;       /* never NULL */
    struct explanation *explanation; /* gets what --explain asks for; NULL = not asked */
};

struct sandbox {
    const char *name; /* as in --isolation=NAME */
    /* Memory and processors are a machine's, not limits of this one's. */
    bool has_machine;
    /*
     * Before anything is made: can it run here? Finds its programs and files. Errors: those of the
     * part that is missing, each with the way to mend it.
     */
    int (*prepare)(struct sandbox_request *request, struct error *err);
    /*
     * Once there is an instance: says where the bundle will be and what its runtime is to limit. A
     * limit that cannot be kept here is told to the user and left out.
     */
    int (*place)(struct sandbox_request *request, struct bundle_options *options,
                 struct error *err);
    /*
     * Runs the bundle to its end with this process's standard streams and signals. *status gets the
     * exit status as docker gives it: the command's own, 128+N, 126, 127. A failure of the runner
     * itself is a negative return with *err filled (the caller exits with 125).
     */
    int (*run)(const struct sandbox_request *request, int *status, struct error *err);
};

extern const struct sandbox sandbox_vm;
extern const struct sandbox sandbox_container;
extern const struct sandbox sandbox_gvisor;

/* The one called `name` (NULL: the default, vm). Errors: EINVAL (names those there are). */
int sandbox_find(const char *name, const struct sandbox **isolation, struct error *err);

/* Frees what prepare() and place() have allocated. */
void sandbox_request_release(struct sandbox_request *request);

/* Says on standard error why the command of a bundle could not be started; names the command where
 * `reason`, the runtime's words, does not. */
void sandbox_say_failure(const struct bundle *bundle, const char *reason);

#endif
