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
#include "vmm/network/publish.h"
#include "vmm/oci/bundle.h"
#include "vmm/oci/oci_config.h"
#include "vmm/report/explain.h"
#include "vmm/report/timeline.h"

/* In the instance's directory: path of the cgroup of a container on the host (vmm/base/cgroup.h).
 */
#define SANDBOX_CGROUP_FILE "cgroup"

/* Limits that the user has set; 0 = not. */
struct sandbox_limits {
    uint64_t memory_bytes;
    uint32_t millicpus;
    uint64_t pids;
};

/* What the user asked for, besides the configuration of the container. Pointers: NULL = default. */
struct sandbox_options {
    bool interactive; /* -i: standard input reaches the command */
    bool terminal;    /* -t */
    bool earlycon;
    bool network; /* --network: not none */
    struct published_ports ports;
    uint64_t disk_bytes;      /* --disk: size of the writable layer's disk; 0 = in memory */
    uint64_t vm_memory_bytes; /* of a VM */
    unsigned vcpu_count;      /* of a VM */
    struct sandbox_limits limits;
    const char *kernel;
    const char *initramfs;
    const char *runtime;
    const char *cgroup_parent;
    struct monitor_jail jail;        /* of a VM's monitor */
    struct explanation *explanation; /* gets what --explain asks for; NULL = not asked */
};

/* Where the container is on this host. */
struct sandbox_instance {
    const char *name;
    const char *directory; /* path */
    int directory_fd;      /* the same, open */
    int lock_fd;
    int *control_listener; /* at control.sock in the directory; consumed by a monitor */
};

/* What is to be run. */
struct sandbox_request {
    const struct sandbox_options *options;
    const struct sandbox_instance *instance;
    const struct oci_config *config; /* as transform() has left it */
    const struct bundle *bundle;     /* made of it */
    int root_fd;                     /* squashfs of the image, open for reading */
    struct timeline *timeline;       /* never NULL */
    struct error *failure;           /* gets why the command could not be executed (126, 127) */
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
    SANDBOX_NETWORK = 1 << 9,         /* takes --network other than none */
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
     * Before anything is made: can it run here? Finds its programs and files, and keeps them in
     * *state, which release() frees, after a failure, too. Errors: those of the part that is
     * missing, each with the way to fix it.
     */
    int (*prepare)(const struct sandbox_options *options, void **state, struct error *err);
    /*
     * Once there is an instance: transforms the configuration into what this sandbox needs, limits
     * included. A limit that cannot be enforced here is left out, with a warning.
     */
    int (*transform)(void *state, const struct sandbox_options *options,
                     const struct sandbox_instance *instance, struct oci_config *config,
                     struct error *err);
    /*
     * Runs the bundle to its end with this process's standard streams and signals. *status gets the
     * exit status as docker gives it: the command's own, 128+N, 126, 127. A failure of the runner
     * itself is a negative return with *err filled (the caller exits with 125).
     */
    int (*run)(void *state, const struct sandbox_request *request, int *status, struct error *err);
    void (*release)(void *state); /* NULL is allowed */
};

/* Fills request->failure: why the command could not be executed. Names the command where `reason`,
 * the runtime's words, does not. */
void sandbox_note_failure(const struct sandbox_request *request, const char *reason);

#endif
