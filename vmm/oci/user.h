/* SPDX-License-Identifier: Apache-2.0 */
/* Who "user[:group]" is by an image's own passwd(5) and group(5) files. */
#ifndef MICROVM_OCI_USER_H
#define MICROVM_OCI_USER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/error.h"

struct user {
    uint32_t uid;
    uint32_t gid;
    uint32_t *groups; /* `gid` first, then the groups that list the user as a member */
    size_t group_count;
    char *home; /* "/" for a user that passwd does not know */
};

/*
 * Resolves `text` ("" or null: root), names or numbers, by docker's rules: a number need not be in
 * the files, a name must; groups of which the user is a member count only when no group is written.
 * Errors: ENOENT, ERANGE (number over 2147483647), ENOMEM. Release by user_release() after success.
 */
int user_resolve(const char *text, const char *passwd, const char *group, struct user *user,
                 struct error *err);
void user_release(struct user *user);

#endif
