/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime bundle of one container, in memory: config.json (OCI runtime
 * specification 1.0, as crun reads it) with docker's defaults, and the small files it mounts.
 *
 * One bundle serves all sandboxes: it is sent to guest init, which writes it where the runtime
 * finds it, in a VM or on the host. Only the parameters below differ.
 */
#ifndef MICROVM_OCI_BUNDLE_H
#define MICROVM_OCI_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"
#include "vmm/image/config.h"
#include "vmm/oci/process.h"

/* Where a program that is brought in (--program) is in the container. */
#define BUNDLE_PROGRAM_PATH "/.microvm/program"

struct bundle_options {
    const char *root_path;    /* the root file system, where crun runs */
    const char *bundle_path;  /* directory of the bundle's files, where crun runs */
    const char *hostname;     /* required */
    const char *resolv_conf;  /* text of /etc/resolv.conf; null for an empty one */
    const char *hosts;        /* lines to add to /etc/hosts; null for none */
    const char *cgroup_path;  /* linux.cgroupsPath; null lets crun choose */
    struct string_list tmpfs; /* --tmpfs: "PATH" or "PATH:OPTIONS" */
    bool read_only;           /* --read-only */
    bool terminal;            /* -t */
    uint16_t rows, columns;   /* of the terminal; 0 = not known */
    uint64_t group_count;     /* groups 0 to this minus 1 exist where the runtime runs; 0 = all */
    bool no_devices;          /* no control group guards devices: none can be made */
    bool network_namespace;   /* a new one; false: share the caller's (in a VM: the VM's network) */
    uint64_t
        memory_bytes;    /* limits; 0 = none. memory.max and no more swap than memory, as docker */
    bool swap_unlimited; /* the kernel does not count swap */
    uint32_t millicpus;  /* 1500 = one and a half processors */
    uint64_t pids;
    bool compiled_seccomp; /* the runtime is a crun of ours: it takes the filter ready made */
    const void *program;   /* an executable to show at BUNDLE_PROGRAM_PATH, or null */
    size_t program_size;
};

struct bundle_file {
    const char *name; /* "config.json", "hosts", "hostname", "resolv.conf", "targets", "program" */
    mode_t mode;      /* permission bits */
    char *data;
    size_t size;
};

#define BUNDLE_FILES_MAX 6
#define BUNDLE_NAME_SIZE 16 /* of the longest name, with its NUL */
struct bundle {
    struct bundle_file files[BUNDLE_FILES_MAX]; /* the first is config.json */
    size_t count;
};

/*
 * Makes the bundle. Volumes of the image that are not below a --tmpfs need nothing while the root
 * is writable (they live in its writable layer); with `read_only` each becomes an empty tmpfs.
 * Errors: EINVAL (--tmpfs path or option), EILSEQ (an argument, a variable or a path is not UTF-8:
 * the message says which), ENOMEM. Release by bundle_release() after success.
 */
int bundle_create(const struct image_config *config, const struct process *process,
                  const struct bundle_options *options, struct bundle *bundle, struct error *err);
void bundle_release(struct bundle *bundle);

#endif
