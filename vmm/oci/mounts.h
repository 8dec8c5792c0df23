/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a container's configuration (OCI runtime specification, config.md, "Mounts"). */
#ifndef MICROVM_OCI_MOUNTS_H
#define MICROVM_OCI_MOUNTS_H

#include <stddef.h>

#include "vmm/base/error.h"
#include "vmm/base/string_list.h"

/* Where a program that is brought in (--program) is in the container. */
#define OCI_PROGRAM_PATH "/.microvm/program"

struct oci_mount {
    char *destination;
    const char *type; /* a constant */
    char *source;     /* of a bind mount: relative to the bundle until that is known */
    struct string_list options;
};

/* Those of docker's defaults first, then the others, no deeper one before a less deep one. */
struct oci_mounts {
    struct oci_mount *items;
    size_t count;
};

void oci_mounts_release(struct oci_mounts *mounts);

/* ---- all return 0 or -ENOMEM ---- */

int oci_mounts_add_defaults(struct oci_mounts *mounts);

/* The files of the bundle that the container sees in its /etc. */
int oci_mounts_add_files(struct oci_mounts *mounts, bool read_only);

/* The bundle's "program", at OCI_PROGRAM_PATH. */
int oci_mounts_add_program(struct oci_mounts *mounts);

/* An empty tmpfs, with what the image has there, for each of `paths` on which nothing is mounted.
 */
int oci_mounts_add_volumes(struct oci_mounts *mounts, const struct string_list *paths);

/* Makes the relative sources absolute. */
int oci_mounts_set_bundle(struct oci_mounts *mounts, const char *directory);

/* The text of PROTOCOL_TARGETS (guest/protocol.h) for these mounts; *text is the caller's. */
int oci_mounts_list_targets(const struct oci_mounts *mounts, char **text, size_t *size);

/* ---- others ---- */

/* --tmpfs "PATH[:OPTION,OPTION...]". Errors: EINVAL, EILSEQ, ENOMEM. */
int oci_mounts_add_tmpfs(struct oci_mounts *mounts, const char *text, struct error *err);

/* Options that name a group: of the only one that there is, none can. */
void oci_mounts_drop_groups(struct oci_mounts *mounts);

#endif
