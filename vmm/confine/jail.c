/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's jail; see jail.h. A step is a function; the table is their order. */
#include "vmm/confine/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/io.h"
#include "vmm/confine/landlock.h"
#include "vmm/confine/namespaces.h"
#include "vmm/confine/privileges.h"
#include "vmm/confine/syscall_filter.h"

static int check_namespaces(const struct jail_plan *plan, struct error *err)
{
    if (plan->namespaces & CLONE_NEWPID)
        return 0;
    return error_set(
        err, EPERM,
        "this host does not give namespaces to this user (user.max_user_namespaces, or a "
        "rule of AppArmor or SELinux)");
}

static int empty_root(const struct jail_plan *plan, struct error *err)
{
    if (plan->namespaces & CLONE_NEWNS)
        return namespaces_empty_root(err);
    return error_set(err, EPERM, "empty root: needs a mount namespace");
}

static int forbid_files(const struct jail_plan *plan, struct error *err)
{
    int rc = landlock_restrict(-1, err);

    (void)plan;
    if (rc < 0)
        return rc;
    return rc > 0 ? 0 : error_set(err, ENOSYS, "this kernel has no Landlock");
}

static int change_user(const struct jail_plan *plan, struct error *err)
{
    /* Outside of its user namespace, root is the user that started the monitor. */
    if (plan->user == 0 || geteuid() != 0 || plan->namespaces & CLONE_NEWUSER)
        return 0;
    return privileges_change_user(plan->user, err);
}

static int drop_capabilities(const struct jail_plan *plan, struct error *err)
{
    int rc = privileges_drop(err);

    (void)plan;
    if (rc < 0)
        return rc;
    /* Again: after a change of user the host's fs.suid_dumpable applies. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
               ? error_set_errno(err, errno, "switching core dumps off")
               : 0;
}

static const struct {
    const char *title;
    int (*apply)(const struct jail_plan *plan, struct error *err);
} steps[JAIL_STEPS] = {
    [JAIL_NAMESPACES] = {"own namespaces", check_namespaces},
    [JAIL_EMPTY_ROOT] = {"empty root directory", empty_root},
    [JAIL_LANDLOCK] = {"Landlock: no file by its name", forbid_files},
    [JAIL_USER] = {"own user", change_user},
    [JAIL_CAPABILITIES] = {"no capabilities, no core dumps", drop_capabilities},
    [JAIL_SYSCALLS] = {"system calls: a list for each thread", NULL},
};

const char *jail_step_title(enum jail_step step)
{
    return steps[step].title;
}

void jail_plan_format(const struct jail_plan *plan, char text[JAIL_PLAN_SIZE])
{
    snprintf(text, JAIL_PLAN_SIZE, "%d:%u:%d", plan->namespaces, plan->user, plan->required);
}

int jail_plan_parse(const char *text, struct jail_plan *plan, struct error *err)
{
    int required;
    char end;

    if (sscanf(text, "%d:%u:%d%c", &plan->namespaces, &plan->user, &required, &end) != 3)
        return error_set(err, EINVAL, "jail: '%s' is not a plan", text);
    plan->required = required;
    return 0;
}

int jail_enter(const struct jail_plan *plan, struct jail_report *report, struct error *err)
{
    int rc = privileges_lock(err); /* Landlock needs no_new_privs */

    if (rc < 0)
        return rc;
    for (int step = 0; step < JAIL_SYSCALLS; step++) {
        struct error *why = &report->why[step];

        *why = (struct error)ERROR_INIT;
        rc = steps[step].apply(plan, why);
        report->held[step] = rc == 0;
        if (rc < 0 && (plan->required || step == JAIL_CAPABILITIES))
            return error_set(err, -rc, "jail: %s: %s", steps[step].title, why->text);
    }
    return 0;
}

int jail_close(const struct syscall_rules *lists, size_t count, struct error *err)
{
    return syscall_filter_load(lists, count, SECCOMP_RET_KILL_PROCESS, err);
}

/* In the child: takes the steps, reports, exits. */
static void try_in_child(const struct jail_plan *plan, unsigned uid, unsigned gid, int output)
{
    struct jail_report report = {0};

    if (namespaces_map_user(plan->namespaces, uid, gid) < 0)
        _exit(EXIT_FAILURE);
    (void)jail_enter(plan, &report, NULL);
    (void)io_write_all(output, &report, sizeof(report));
    _exit(EXIT_SUCCESS);
}

int jail_try(uint32_t user, struct jail_report *report, struct error *err)
{
    struct jail_plan plan = {.user = user};
    bool told = false;

    for (unsigned attempt = 0; !told && namespaces_flags(attempt) >= 0; attempt++) {
        unsigned uid = geteuid();
        unsigned gid = getegid();
        int ends[2];
        long child;

        plan.namespaces = namespaces_flags(attempt);
        if (pipe2(ends, O_CLOEXEC) < 0)
            return error_set_errno(err, errno, "jail");
        child = syscall(SYS_clone, plan.namespaces | SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            try_in_child(&plan, uid, gid, ends[1]);
        close(ends[1]);
        told = child > 0 && io_read_full(ends[0], report, sizeof(*report)) == sizeof(*report);
        close(ends[0]);
        while (child > 0 && waitpid((pid_t)child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    return told ? 0 : error_set(err, EIO, "jail: cannot start a process to try it");
}

static int limit(__rlimit_resource_t resource, uint64_t most, struct error *err)
{
    struct rlimit now;

    if (getrlimit(resource, &now) < 0)
        return error_set_errno(err, errno, "jail: limits");
    if (now.rlim_max > most)
        now.rlim_max = most;
    now.rlim_cur = now.rlim_max;
    return setrlimit(resource, &now) < 0 ? error_set_errno(err, errno, "jail: limits") : 0;
}

int jail_limit(uint64_t file_size_max, unsigned descriptors_max, struct error *err)
{
    int rc = limit(RLIMIT_FSIZE, file_size_max, err);

    return rc < 0 ? rc : limit(RLIMIT_NOFILE, descriptors_max, err);
}
