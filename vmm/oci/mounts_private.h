/* SPDX-License-Identifier: Apache-2.0 */
/* For the files that add mounts. */
#ifndef MICROVM_OCI_MOUNTS_PRIVATE_H
#define MICROVM_OCI_MOUNTS_PRIVATE_H

#include "vmm/oci/mounts.h"

/*
 * Puts a mount behind all that are not deeper: as with docker /etc/hosts is seen on a tmpfs at
 * /etc, and where a link leads that is on one. The default ones come before all of these. Takes
 * over *options when it succeeds. Returns 0 or -ENOMEM.
 */
int oci_mounts_add(struct oci_mounts *mounts, const char *destination, const char *type,
                   const char *source, struct string_list *options);

/* Makes an absolute path the one that docker would mount on: without empty names, "." and "..".
 * Only the text is looked at. */
void oci_path_clean(char *path);

#endif
