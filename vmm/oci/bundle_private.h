/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a bundle that have a file of their own. */
#ifndef MICROVM_OCI_BUNDLE_PRIVATE_H
#define MICROVM_OCI_BUNDLE_PRIVATE_H

#include <jansson.h>
#include <stdio.h>

#include "vmm/oci/bundle.h"

/* What is mounted besides docker's own, which are in a table. */
struct bundle_mount {
    char *destination;
    const char *type;
    char *source;
    struct string_list options;
};

struct bundle_mounts {
    struct bundle_mount *items;
    size_t count;
};

#define AUTO_MOUNTS __attribute__((cleanup(bundle_release_mounts)))

/* Adds to *mounts, which is empty before; release it after a failure, too. Errors: EINVAL
 * (--tmpfs), ENOMEM. */
int bundle_make_mounts(const struct image_config *config, const struct bundle_options *options,
                       struct bundle_mounts *mounts, struct error *err);
void bundle_release_mounts(struct bundle_mounts *mounts);

/* The array "mounts": docker's own, then these. */
void bundle_write_mounts(FILE *file, const struct bundle_mounts *mounts,
                         const struct bundle_options *options);

/* The text of PROTOCOL_TARGETS (guest/protocol.h) for these mounts. Returns 0 or -ENOMEM. */
int bundle_make_targets(const struct bundle_mounts *mounts, char **text, size_t *size);

/* linux.seccomp: docker's default filter; null when memory is short. */
json_t *bundle_make_seccomp(void);

/*
 * The object "annotations" as JSON text: the same filter, compiled, for crun (crun(1),
 * "run.oci.seccomp_bpf_data"). It is most of a config.json, and the same in each: so it is text
 * from the start, instead of a value that would be checked and escaped at each run.
 */
const char *bundle_annotations(const struct bundle_options *options);

#endif
