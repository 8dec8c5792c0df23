/* SPDX-License-Identifier: Apache-2.0 */
/* The system call filter of a container, as parts of config.json. */
#ifndef MICROVM_OCI_SECCOMP_H
#define MICROVM_OCI_SECCOMP_H

#include <jansson.h>

/* linux.seccomp: docker's default filter; NULL when memory is short. */
json_t *seccomp_make_json(void);

/*
 * The object "annotations" as JSON text: the same filter, compiled, for crun (crun(1),
 * "run.oci.seccomp_bpf_data"). It is most of a config.json, and the same in each: so it is text
 * from the start, instead of a value that would be checked and escaped at each run.
 */
extern const char seccomp_annotations[];

#endif
