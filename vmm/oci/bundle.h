/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime bundle of one container, in memory: config.json and the small files that it
 * mounts. It is sent to guest init, which writes it where the runtime finds it, in a VM or on the
 * host.
 */
#ifndef MICROVM_OCI_BUNDLE_H
#define MICROVM_OCI_BUNDLE_H

#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/error.h"
#include "vmm/oci/oci_config.h"

/* What the container's files say; NULL = nothing. */
struct bundle_contents {
    const char *resolv_conf; /* text of /etc/resolv.conf */
    const char *hosts;       /* lines to add to /etc/hosts */
    const char *address;     /* of the host name in it; NULL = one of the loopback's */
    const void *program;     /* an executable to show at OCI_PROGRAM_PATH: see oci_options */
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

/* Makes the bundle of a configuration that is complete. Errors: ENOMEM. Release it by
 * bundle_release(), after a failure, too. */
int bundle_create(const struct oci_config *config, const struct bundle_contents *contents,
                  struct bundle *bundle, struct error *err);
void bundle_release(struct bundle *bundle);

#define AUTO_BUNDLE __attribute__((cleanup(bundle_release)))

#endif
