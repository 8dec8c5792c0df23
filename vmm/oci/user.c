/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a user in the texts of passwd(5) and group(5), which come from an image. A line is read as
 * docker, containerd and podman read it (github.com/moby/sys/user): white space around it does not
 * count, empty lines are passed over, a field that is missing is empty, a number that is missing or
 * malformed is 0. The first line that matches wins. A line whose number is out of range names
 * nobody.
 */
#include "vmm/oci/user.h"

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

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Takes the next line that is not empty off *text; returns 1, 0 at the end, -ENOMEM. */
static int record_next(const char **text, struct record *record)
{
    size_t length;
    char *rest;

    free(record->line);
    *record = (struct record){0};
    while (is_space(**text))
        (*text)++;
    if (**text == '\0')
        return 0;
    length = strcspn(*text, "\n");
    record->line = strndup(*text, length);
    if (!record->line)
        return -ENOMEM;
    *text += length;
    while (is_space(record->line[length - 1]))
        record->line[--length] = '\0';
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

/* A field of a record: empty when there is none. */
static char *field(const struct record *record, size_t index)
{
    static char none[] = "";

    return index < record->count ? record->fields[index] : none;
}

/* A number in a record: 0 when it is missing or malformed, as docker reads it; -ERANGE. */
static int id_field(const struct record *record, size_t index, uint32_t *id)
{
    const char *text = field(record, index);
    int rc = *text == '-' ? -ERANGE : parse_id(text + (*text == '+'), id);

    if (rc == -EINVAL)
        *id = 0;
    return rc == -ERANGE ? rc : 0;
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
 * Looks `wanted` up by name or, if there is a number, by number. Returns 1 when found (filling user
 * and *name, both free to be filled again), 0 when not, -ENOMEM.
 */
static int find_passwd(const char *passwd, const char *wanted, const uint32_t *number,
                       struct user *user, char **name)
{
    __attribute__((cleanup(record_release))) struct record record = {0};
    int rc;

    while ((rc = record_next(&passwd, &record)) > 0) {
        uint32_t uid;
        uint32_t gid;

        if (id_field(&record, 2, &uid) < 0 || id_field(&record, 3, &gid) < 0)
            continue;
        if (number ? *number != uid : strcmp(field(&record, 0), wanted) != 0)
            continue;
        free(*name);
        free(user->home);
        *name = strdup(field(&record, 0));
        user->home = strdup(field(&record, 5)[0] == '/' ? field(&record, 5) : "/");
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

        if (!is_member(field(&record, 3), name) || id_field(&record, 2, &gid) < 0)
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
        if (strcmp(field(&record, 0), name) == 0 && id_field(&record, 2, gid) == 0)
            return 1;
    }
    return rc;
}

static int out_of_range(const char *text, struct error *err)
{
    return error_set(err, ERANGE, "user '%s': numbers must be in the range 0 to %d", text, ID_MAX);
}

/* HOME is that of the first line with the user's number, whatever name it was asked for by: the
 * runtime of docker knows no other. */
static int find_home(const char *passwd, struct user *user, struct error *err)
{
    AUTO_FREE char *name = NULL;
    struct user first = {0};

    if (find_passwd(passwd, NULL, &user->uid, &first, &name) < 0) {
        free(first.home);
        return error_set_errno(err, ENOMEM, "passwd file");
    }
    free(user->home);
    user->home = first.home;
    return 0;
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
        return is_number == 0 ? 0 : find_home(passwd, user, err);
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
    bool has_group;
    int rc;

    if (!wanted)
        return error_set_errno(err, ENOMEM, "user '%s'", text);
    strsep(&wanted_group, ":");
    has_group = wanted_group && *wanted_group;
    rc = resolve_user(text, wanted, passwd, user, &name, err);
    if (rc < 0)
        return rc;
    if (has_group) {
        rc = resolve_group(text, wanted_group, group, user, err);
        if (rc < 0)
            return rc;
    }
    if (add_group(user, user->gid) < 0 ||
        (name && !has_group && add_memberships(group, name, user) < 0))
        return error_set_errno(err, ENOMEM, "user '%s'", text);
    return 0;
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
