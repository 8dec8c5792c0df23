/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a program; see spawn.h. */
#include "vmm/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"

/* The table, with sources that no target overwrites; copies[i] is -1 where no copy was needed. */
struct table {
    struct spawn_descriptor rows[SPAWN_DESCRIPTORS_MAX];
    int copies[SPAWN_DESCRIPTORS_MAX];
    size_t count;
    int end; /* above all targets, and above standard error */
};

static void table_release(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        cleanup_close(&table->copies[i]);
}

/* Returns 0 or -errno; the caller releases the table in either case. */
static int table_make(struct table *table, const struct spawn *spawn)
{
    *table = (struct table){.end = STDERR_FILENO + 1};
    if (spawn->descriptor_count > SPAWN_DESCRIPTORS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < spawn->descriptor_count; i++) {
        if (spawn->descriptors[i].source == -1)
            continue;
        table->copies[table->count] = -1;
        table->rows[table->count++] = spawn->descriptors[i];
        if (spawn->descriptors[i].target >= table->end)
            table->end = spawn->descriptors[i].target + 1;
    }
    for (size_t i = 0; i < table->count; i++) {
        struct spawn_descriptor *row = &table->rows[i];

        if (row->source < 0 || row->source >= table->end || row->source == row->target)
            continue;
        table->copies[i] = fcntl(row->source, F_DUPFD_CLOEXEC, table->end);
        if (table->copies[i] < 0)
            return -errno;
        row->source = table->copies[i];
    }
    return 0;
}

static bool has_target(const struct table *table, int target)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].target == target)
            return true;
    }
    return false;
}

/* Returns 0 or a positive errno, as posix_spawn(3) and its helpers do. */
static int plan_descriptors(posix_spawn_file_actions_t *actions, const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spawn_descriptor *row = &table->rows[i];
        int rc =
            row->source == SPAWN_NULL
                ? posix_spawn_file_actions_addopen(actions, row->target, "/dev/null", O_RDWR, 0)
                : posix_spawn_file_actions_adddup2(actions, row->source, row->target);

        if (rc)
            return rc;
    }
    for (int fd = STDERR_FILENO + 1; fd < table->end; fd++) {
        int rc = has_target(table, fd) ? 0 : posix_spawn_file_actions_addclose(actions, fd);

        if (rc)
            return rc;
    }
    return posix_spawn_file_actions_addclosefrom_np(actions, table->end);
}

static int plan_attributes(posix_spawnattr_t *attributes, bool session)
{
    const int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none;
    sigset_t all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc)
        return rc;
    rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc)
        return rc;
    return posix_spawnattr_setflags(attributes,
                                    (short)(session ? flags | POSIX_SPAWN_SETSID : flags));
}

/* execve() does not change its arguments, although its prototype allows it (POSIX.1-2017, exec,
 * rationale): hence the cast. */
#define UNCHANGED(list) ((char *const *)(uintptr_t)(list))

static int start_with(const struct spawn *spawn, const char *const *environment,
                      const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, pid_t *pid)
{
    /* NOLINTBEGIN(performance-no-int-to-ptr) */
    return posix_spawnp(pid, spawn->program, actions, attributes, UNCHANGED(spawn->arguments),
                        UNCHANGED(environment));
    /* NOLINTEND(performance-no-int-to-ptr) */
}

static int plan_and_start(const struct spawn *spawn, const char *const *environment,
                          const struct table *table, posix_spawn_file_actions_t *actions,
                          posix_spawnattr_t *attributes, pid_t *pid)
{
    int rc = plan_attributes(attributes, spawn->session);

    if (rc)
        return rc;
    rc = plan_descriptors(actions, table);
    if (rc)
        return rc;
    return start_with(spawn, environment, actions, attributes, pid);
}

static int start(const struct spawn *spawn, const char *const *environment,
                 const struct table *table, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc) {
        posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    rc = plan_and_start(spawn, environment, table, &actions, &attributes, pid);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int spawn_start(const struct spawn *spawn, pid_t *pid, struct error *err)
{
    const char *set = spawn->environment ? NULL : getenv("LD_LIBRARY_PATH");
    AUTO_FREE char *libraries = NULL;
    const char *plain[] = {NULL, NULL};
    struct table table;
    int rc;

    if (set && asprintf(&libraries, "LD_LIBRARY_PATH=%s", set) < 0) {
        libraries = NULL;
        return error_set_errno(err, ENOMEM, "cannot start %s", spawn->program);
    }
    plain[0] = libraries;
    rc = -table_make(&table, spawn);
    if (rc == 0)
        rc = start(spawn, spawn->environment ? spawn->environment : plain, &table, pid);
    table_release(&table);
    return rc ? error_set_errno(err, rc, "cannot start %s", spawn->program) : 0;
}

int spawn_wait(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int spawn_run(const struct spawn *spawn, struct error *err)
{
    int status;
    pid_t pid = -1;
    int rc = spawn_start(spawn, &pid, err);

    if (rc < 0)
        return rc;
    rc = spawn_wait(pid, &status);
    if (rc < 0)
        return error_set_errno(err, -rc, "%s", spawn->program);
    return status == 0 ? 0 : error_set(err, EIO, "%s failed", spawn->program);
}
