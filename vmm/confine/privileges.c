/* SPDX-License-Identifier: Apache-2.0 */
/* What one of our own processes drops for good; see privileges.h. */
#include "vmm/confine/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_change_user(uint32_t id, struct error *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        return error_set_errno(err, errno, "user %u", id);
    return 0;
}

int privileges_lock(struct error *err)
{
    const struct rlimit no_core = {0, 0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "dropping privileges");
    /* The second alone suffices; the first shows in /proc/PID/limits. */
    if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "switching core dumps off");
    return 0;
}

int privileges_drop(struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(__NR_capset, &header, none) < 0
               ? error_set_errno(err, errno, "dropping capabilities")
               : 0;
}
