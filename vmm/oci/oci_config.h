/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration document of one container, config.json (OCI runtime specification 1.0,
 * config.md, config-linux.md), as a value.
 *
 * It is made once, with docker's defaults (oci_config_init()), and then transformed: by what the
 * image and the user say (oci_config_apply()), and by what the sandbox needs (its transform()). At
 * the end it is written as JSON (oci_config_write()). Members have the specification's names.
 */
#ifndef MICROVM_OCI_OCI_CONFIG_H
#define MICROVM_OCI_OCI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/config.h"
#include "vmm/oci/mounts.h"
#include "vmm/oci/process.h"

/* The root file system, in the bundle's directory. */
#define OCI_ROOT_PATH "rootfs"

enum oci_namespace {
    OCI_NAMESPACE_MOUNT,
    OCI_NAMESPACE_UTS,
    OCI_NAMESPACE_IPC,
    OCI_NAMESPACE_PID,
    OCI_NAMESPACE_CGROUP,
    OCI_NAMESPACE_NETWORK,
    OCI_NAMESPACES,
};

struct oci_resources {
    uint64_t memory_limit; /* bytes; 0 = none, as with all limits here */
    uint64_t memory_swap;  /* bytes of memory and swap together */
    uint32_t millicpus;    /* of the quota in each period: 1500 = one and a half processors */
    uint64_t pids_limit;
};

struct oci_config {
    struct process process; /* owned */
    bool terminal;
    uint16_t rows, columns;          /* process.consoleSize; 0 = not known */
    struct string_list capabilities; /* bounding; effective and permitted for root only */
    bool readonly_root;
    char *hostname;
    struct oci_mounts mounts;
    unsigned namespaces;       /* new ones: bits 1 << enum oci_namespace */
    struct string_list sysctl; /* "KEY=VALUE" */
    char *cgroups_path;        /* NULL lets the runtime choose */
    struct oci_resources resources;
    bool seccomp_compiled; /* the runtime is the bundled crun, which takes a compiled filter */
};

/* What the user says, besides the process. */
struct oci_options {
    const char *hostname;     /* required */
    struct string_list tmpfs; /* --tmpfs: "PATH" or "PATH:OPTIONS" */
    bool read_only;           /* --read-only */
    bool terminal;            /* -t */
    uint16_t rows, columns;   /* of the terminal; 0 = not known */
    bool program;             /* a program is brought in: see bundle.h */
};

/* Docker's defaults. Errors: ENOMEM. Release it by oci_config_release(), after a failure, too. */
int oci_config_init(struct oci_config *config, struct error *err);
void oci_config_release(struct oci_config *config);

#define AUTO_OCI_CONFIG __attribute__((cleanup(oci_config_release)))

/*
 * Applies what the user says, and the image where the user does not. Takes over *process. Volumes
 * of the image that are not below a --tmpfs need nothing while the root is writable (they live in
 * its writable layer); with `read_only` each becomes an empty tmpfs.
 * Errors: EINVAL (--tmpfs path or option), EILSEQ (an argument, a variable or a path is not UTF-8:
 * the message says which), ENOMEM.
 */
int oci_config_apply(struct oci_config *config, const struct image_config *image,
                     struct process *process, const struct oci_options *options, struct error *err);

/* ---- for transforms ---- */

/* Where the bundle will be: what is bound from it gets its absolute path. Errors: EILSEQ, ENOMEM.
 */
int oci_config_set_bundle(struct oci_config *config, const char *directory, struct error *err);

/* linux.cgroupsPath. Errors: EILSEQ, ENOMEM. */
int oci_config_set_cgroup(struct oci_config *config, const char *path, struct error *err);

/* The container has a network namespace of its own, or shares that of the runtime, whose settings
 * stay as they are. `group_count`: groups 0 to this minus 1 exist there; 0 = all. Errors: ENOMEM.
 */
int oci_config_set_network(struct oci_config *config, bool own, uint64_t group_count,
                           struct error *err);

/* Only groups 0 to `group_count` minus 1 exist where the runtime runs. */
void oci_config_limit_groups(struct oci_config *config, uint64_t group_count);

/* No cgroup controls the devices: none can be made. */
void oci_config_forbid_devices(struct oci_config *config);

/* ---- config.json ---- */

/* Writes it. *text is the caller's. Errors: ENOMEM. */
int oci_config_write(const struct oci_config *config, char **text, struct error *err);

#endif
