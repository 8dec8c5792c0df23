/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs a bundle: one interface, and a VM (sandbox_vm.c), a plain namespace container
 * (sandbox_container.c) or gVisor (sandbox_gvisor.c) behind it, so that all see the same request.
 * registry.h lists them.
 */
#ifndef MICROVM_SANDBOX_SANDBOX_H
#define MICROVM_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/monitor/monitor_link.h"
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
    uint32_t millicpus;
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
    struct monitor_jail jail; /* of a VM's monitor */

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
    int root_fd;                 /* squashfs of the image, open for reading */
    const char *hostname;
    struct timeline *timeline;       /* never NULL */
    struct error *failure;           /* gets why the command could not be executed (126, 127) */
    struct explanation *explanation; /* gets what --explain asks for; NULL = not asked */
};

/* What a sandbox has, needs and takes. */
enum sandbox_trait {
    SANDBOX_BASELINE = 1 << 0, /* others are compared with it */
    SANDBOX_NEEDS_ROOT = 1 << 1,
    SANDBOX_VM = 1 << 2,              /* --memory, --cpus, --kernel, --initramfs are its VM's */
    SANDBOX_HYPERVISOR = 1 << 3,      /* its kernel runs above a hypervisor */
    SANDBOX_MONITOR = 1 << 4,         /* a child of `run`, the monitor, holds it; see monitor.h */
    SANDBOX_DOORBELL = 1 << 5,        /* the doorbell and virtio can be measured */
    SANDBOX_EXIT_STATISTICS = 1 << 6, /* exits are counted, and traced by --explain=live */
    SANDBOX_EARLY_SERIAL = 1 << 7,    /* takes --earlycon */
    SANDBOX_OCI_RUNTIME = 1 << 8,     /* takes --runtime and --cgroup-parent */
};

/* An OCI runtime that runs on the host. */
struct sandbox_runtime {
    const char *program; /* its name in PATH, to which a version may be appended */
    const char *package; /* what to install */
    bool bundled;        /* microvm brings it */
    bool needs_cgroup2;  /* enforces no limits by cgroups of version 1 */
    /* Why the container's system calls cannot be counted from outside; NULL = they can. */
    const char *calls_unseen;
    /* Lines of init's configuration (guest/protocol.h) for it; `grouped`: in a cgroup. */
    const char *(*configuration)(bool grouped);
};

struct sandbox {
    const char *name;    /* as in --isolation=NAME, and in JSON */
    const char *title;   /* in tables: "micro-VM" */
    unsigned traits;     /* of enum sandbox_trait */
    const char *beneath; /* between its own kernel and the host's; NULL: no kernel of its own */
    const struct sandbox_runtime *runtime; /* the default one; NULL: none on the host */
    /*
     * Before anything is made: can it run here? Finds its programs and files. Errors: those of the
     * part that is missing, each with the way to fix it.
     */
    int (*prepare)(struct sandbox_request *request, struct error *err);
    /*
     * Once there is an instance: says where the bundle will be and what its runtime is to limit. A
     * limit that cannot be enforced here is left out, with a warning.
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

/* Frees what prepare() and place() have allocated. */
void sandbox_request_release(struct sandbox_request *request);

/* Fills request->failure: why the command could not be executed. Names the command where `reason`,
 * the runtime's words, does not. */
void sandbox_note_failure(const struct sandbox_request *request, const char *reason);

#endif
