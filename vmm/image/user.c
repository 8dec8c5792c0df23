/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purpose: find a user in the texts of passwd(5) and group(5). The texts come from an image: a
 * malformed line is passed over, as libc does.
 */
#include "vmm/image/user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"

#define ID_MAX     2147483647
#define FIELDS_MAX 7

/* One line, cut at its colons in a buffer of its own. */
struct record {
    char *line;
    char *fields[FIELDS_MAX];
    size_t count;
};

static void record_release(struct record *record)
{
    free(record->line);
}

/* Takes the next line off *text; returns 1, 0 at the end, -ENOMEM. */
static int record_next(const char **text, struct record *record)
{
    size_t length = strcspn(*text, "\n");
    char *rest;

    free(record->line);
    *record = (struct record){0};
    if (**text == '\0')
        return 0;
    record->line = strndup(*text, length);
    if (!record->line)
        return -ENOMEM;
    *text += length + ((*text)[length] == '\n');
    rest = record->line;
    while (rest && record->count < FIELDS_MAX)
        record->fields[record->count++] = strsep(&rest, ":");
    return 1;
}

/* Returns 0, -EINVAL when `text` is not a number, -ERANGE when it is too large. */
static int parse_id(const char *text, uint32_t *id)
{
    uint64_t value = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (value <= ID_MAX)
            value = value * 10 + (uint64_t)(*text - '0');
    }
    if (value > ID_MAX)
        return -ERANGE;
    *id = (uint32_t)value;
    return 0;
}

static int add_group(struct user *user, uint32_t gid)
{
    uint32_t *groups;

    for (size_t i = 0; i < user->group_count; i++) {
        if (user->groups[i] == gid)
            return 0;
    }
    groups = reallocarray(user->groups, user->group_count + 1, sizeof(*groups));
    if (!groups)
        return -ENOMEM;
    user->groups = groups;
    user->groups[user->group_count++] = gid;
    return 0;
}

/*
 * Looks `wanted` up by name or, if it is a number, by number. Returns 1 when found (filling user
 * and *name), 0 when not, -ENOMEM.
 */
static int find_passwd(const char *passwd, const char *wanted, const uint32_t *number,
                       struct user *user, char **name)
{
    __attribute__((cleanup(record_release))) struct record record = {0};
    int rc;

    while ((rc = record_next(&passwd, &record)) > 0) {
        uint32_t uid;
        uint32_t gid;

        if (record.count < 6 || parse_id(record.fields[2], &uid) < 0 ||
            parse_id(record.fields[3], &gid) < 0)
            continue;
        if (number ? *number != uid : strcmp(record.fields[0], wanted) != 0)
            continue;
        *name = strdup(record.fields[0]);
        user->home = strdup(record.fields[5][0] == '/' ? record.fields[5] : "/");
        user->uid = uid;
        user->gid = gid;
        return *name && user->home ? 1 : -ENOMEM;
    }
    return rc;
}

static bool is_member(char *members, const char *name)
{
    char *member;

    while ((member = strsep(&members, ","))) {
        if (strcmp(member, name) == 0)
            return true;
    }
    return false;
}

static int add_memberships(const char *group, const char *name, struct user *user)
{
    __attribute__((cleanup(record_release))) struct record record = {0};
    int rc;

    while ((rc = record_next(&group, &record)) > 0) {
        uint32_t gid;

        if (record.count < 4 || parse_id(record.fields[2], &gid) < 0 ||
            !is_member(record.fields[3], name))
            continue;
        if (add_group(user, gid) < 0)
            return -ENOMEM;
    }
    return rc;
}

/* Returns 1 when found, 0 when not, -ENOMEM. */
static int find_group(const char *group, const char *name, uint32_t *gid)
{
    __attribute__((cleanup(record_release))) struct record record = {0};
    int rc;

    while ((rc = record_next(&group, &record)) > 0) {
        if (record.count >= 3 && strcmp(record.fields[0], name) == 0 &&
            parse_id(record.fields[2], gid) == 0)
            return 1;
    }
    return rc;
}

static int out_of_range(const char *text, struct error *err)
{
    return error_set(err, ERANGE, "user '%s': numbers must be in the range 0 to %d", text, ID_MAX);
}

static int resolve_user(const char *text, const char *wanted, const char *passwd, struct user *user,
                        char **name, struct error *err)
{
    uint32_t number = 0;
    int is_number = parse_id(wanted, &number);
    int rc;

    if (is_number == -ERANGE)
        return out_of_range(text, err);
    if (*wanted == '\0')
        is_number = 0; /* root */
    rc = find_passwd(passwd, wanted, is_number == 0 ? &number : NULL, user, name);
    if (rc < 0)
        return error_set_errno(err, ENOMEM, "user '%s'", text);
    if (rc == 1)
        return 0;
    if (is_number < 0)
        return error_set(err, ENOENT, "unable to find user %s: no matching entries in passwd file",
                         wanted);
    user->uid = number;
    user->home = strdup("/");
    return user->home ? 0 : error_set_errno(err, ENOMEM, "user '%s'", text);
}

static int resolve_group(const char *text, const char *wanted, const char *group, struct user *user,
                         struct error *err)
{
    int rc = parse_id(wanted, &user->gid);

    if (rc == -ERANGE)
        return out_of_range(text, err);
    if (rc == 0)
        return 0;
    rc = find_group(group, wanted, &user->gid);
    if (rc < 0)
        return error_set_errno(err, ENOMEM, "user '%s'", text);
    if (rc == 0)
        return error_set(err, ENOENT, "unable to find group %s: no matching entries in group file",
                         wanted);
    return 0;
}

static int resolve(const char *text, const char *passwd, const char *group, struct user *user,
                   struct error *err)
{
    AUTO_FREE char *wanted = strdup(text);
    AUTO_FREE char *name = NULL;
    char *wanted_group = wanted;
    int rc;

    if (!wanted)
        return error_set_errno(err, ENOMEM, "user '%s'", text);
    strsep(&wanted_group, ":");
    rc = resolve_user(text, wanted, passwd, user, &name, err);
    if (rc == 0 && wanted_group && *wanted_group)
        rc = resolve_group(text, wanted_group, group, user, err);
    if (rc < 0)
        return rc;
    rc = add_group(user, user->gid);
    if (rc == 0 && name && !(wanted_group && *wanted_group))
        rc = add_memberships(group, name, user);
    return rc < 0 ? error_set_errno(err, ENOMEM, "user '%s'", text) : 0;
}

int user_resolve(const char *text, const char *passwd, const char *group, struct user *user,
                 struct error *err)
{
    int rc;

    *user = (struct user){0};
    rc = resolve(text ? text : "", passwd, group, user, err);
    if (rc < 0)
        user_release(user);
    return rc;
}

void user_release(struct user *user)
{
    free(user->groups);
    free(user->home);
    *user = (struct user){0};
}
