/* SPDX-License-Identifier: Apache-2.0 */
/* Purpose: the parts of a bundle that have a file of their own. */
#ifndef MICROVM_OCI_BUNDLE_PRIVATE_H
#define MICROVM_OCI_BUNDLE_PRIVATE_H

#include <jansson.h>

#include "vmm/oci/bundle.h"

/* The array "mounts". Errors: EINVAL (--tmpfs), ENOMEM. The caller owns *mounts. */
int bundle_make_mounts(const struct image_config *config, const struct bundle_options *options,
                       json_t **mounts, struct error *err);

/* The text of PROTOCOL_TARGETS (guest/protocol.h) for these mounts. Returns 0 or -ENOMEM. */
int bundle_make_targets(const json_t *mounts, char **text, size_t *size);

/* linux.seccomp: docker's default filter; null when memory is short. */
json_t *bundle_make_seccomp(void);

/*
 * The object "annotations" as JSON text: the same filter, compiled, for crun (crun(1),
 * "run.oci.seccomp_bpf_data"). It is most of a config.json, and the same in each: so it is text
 * from the start, instead of a value that would be checked and escaped at each run.
 */
const char *bundle_annotations(const struct bundle_options *options);

#endif
