/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock; see landlock.h. */
#include "vmm/confine/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"

/* The newest layout; an older kernel gets the part that it knows. */
struct ruleset {
    uint64_t files;
    uint64_t network; /* from version 4 on */
    uint64_t scoped;  /* from version 6 on */
};

/* All that can be forbidden, by version from 1 on. */
static const struct {
    struct ruleset handled;
    size_t size;
} versions[] = {
    {{(1ULL << 13) - 1, 0, 0}, sizeof(uint64_t)},     /* from EXECUTE to MAKE_SYM */
    {{(1ULL << 14) - 1, 0, 0}, sizeof(uint64_t)},     /* REFER */
    {{(1ULL << 15) - 1, 0, 0}, sizeof(uint64_t)},     /* TRUNCATE */
    {{(1ULL << 15) - 1, 3, 0}, 2 * sizeof(uint64_t)}, /* TCP */
    {{(1ULL << 16) - 1, 3, 0}, 2 * sizeof(uint64_t)}, /* IOCTL_DEV */
    {{(1ULL << 16) - 1, 3, 3}, 3 * sizeof(uint64_t)}, /* abstract sockets, signals */
};

static int fail(struct error *err)
{
    return error_set_errno(err, errno, "Landlock");
}

int landlock_restrict(int directory, struct error *err)
{
    const struct landlock_path_beneath_attr beneath = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
        .parent_fd = directory,
    };
    struct ruleset handled;
    AUTO_CLOSE int ruleset = -1;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t row;

    if (version <= 0)
        return 0;
    row =
        (size_t)version > ARRAY_LENGTH(versions) ? ARRAY_LENGTH(versions) - 1 : (size_t)version - 1;
    handled = versions[row].handled;
    if (directory >= 0)
        handled.network = handled.scoped = 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, versions[row].size, 0);
    if (ruleset < 0)
        return fail(err);
    if (directory >= 0 &&
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
        return fail(err);
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return fail(err);
    return (int)version;
}
