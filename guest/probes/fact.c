/* SPDX-License-Identifier: Apache-2.0 */
/* The result of one check as a line of JSON; see fact.h. */
#include "guest/probes/fact.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/probes/filter.h"

#define MOUNT_LINE_MAX 4096

static const char *const outcome_names[] = {
    [FACT_SEEN] = "seen",   [FACT_ALLOWED] = "allowed",   [FACT_REFUSED] = "refused",
    [FACT_EMPTY] = "empty", [FACT_UNTESTED] = "untested",
};

void fact_begin(struct fact *fact)
{
    memset(fact, 0, sizeof(*fact));
    fact->outcome = FACT_UNTESTED;
    fact->call = -1;
    fact->capability = -1;
}

void fact_set_text(struct fact *fact, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fact->text, sizeof(fact->text), format, arguments);
    va_end(arguments);
}

void fact_set_result(struct fact *fact, long result)
{
    fact->outcome = result >= 0 ? FACT_ALLOWED : FACT_REFUSED;
    fact->error = result >= 0 ? 0 : errno;
}

void fact_set_result_unless(struct fact *fact, long result, int effective)
{
    fact_set_result(fact, result);
    if (fact->error == effective)
        fact->outcome = FACT_ALLOWED;
}

uint64_t fact_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return (uint64_t)data[1].effective << 32 | data[0].effective;
}

/* Those that checks need. */
static const char *capability_name(int capability)
{
    static const char *const names[] = {
        [CAP_SYS_MODULE] = "CAP_SYS_MODULE",
        [CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
        [CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
        [CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
        [CAP_SYS_BOOT] = "CAP_SYS_BOOT",
        [CAP_SYS_TIME] = "CAP_SYS_TIME",
        [CAP_MKNOD] = "CAP_MKNOD",
        [CAP_NET_RAW] = "CAP_NET_RAW",
        [CAP_SYSLOG] = "CAP_SYSLOG",
        [CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
        [CAP_PERFMON] = "CAP_PERFMON",
        [CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
        [CAP_KILL] = "CAP_KILL",
    };

    return (size_t)capability < sizeof(names) / sizeof(names[0]) ? names[capability] : NULL;
}

static const char *error_name(int error)
{
    static const char *const names[] = {
        [EPERM] = "EPERM",
        [ENOENT] = "ENOENT",
        [ESRCH] = "ESRCH",
        [EIO] = "EIO",
        [ENXIO] = "ENXIO",
        [EBADF] = "EBADF",
        [EAGAIN] = "EAGAIN",
        [ENOMEM] = "ENOMEM",
        [EACCES] = "EACCES",
        [EFAULT] = "EFAULT",
        [EBUSY] = "EBUSY",
        [EEXIST] = "EEXIST",
        [ENODEV] = "ENODEV",
        [ENOTDIR] = "ENOTDIR",
        [EINVAL] = "EINVAL",
        [ENOSPC] = "ENOSPC",
        [EROFS] = "EROFS",
        [ENOSYS] = "ENOSYS",
        [EUSERS] = "EUSERS",
        [ENOTTY] = "ENOTTY",
        [ENOTBLK] = "ENOTBLK",
        [ENOKEY] = "ENOKEY",
        [E2BIG] = "E2BIG",
        [ENOEXEC] = "ENOEXEC",
        [EOPNOTSUPP] = "EOPNOTSUPP",
        [EAFNOSUPPORT] = "EAFNOSUPPORT",
        [EPROTONOSUPPORT] = "EPROTONOSUPPORT",
        [ESOCKTNOSUPPORT] = "ESOCKTNOSUPPORT",
    };

    return (size_t)error < sizeof(names) / sizeof(names[0]) ? names[error] : NULL;
}

/* Length of the mount point `point` if it is `path` or above it; else 0. */
static size_t covers(const char *point, const char *path)
{
    size_t length = strlen(point);

    if (strcmp(point, "/") == 0)
        return 1;
    return strncmp(point, path, length) == 0 && (path[length] == '/' || path[length] == '\0')
               ? length
               : 0;
}

/* The mount that `path` is on (proc(5), /proc/pid/mountinfo): a later mount covers an earlier one.
 */
static void write_mount(struct json_line *line, const char *path)
{
    char text[MOUNT_LINE_MAX];
    char point[FACT_PATH_MAX] = "";
    char options[FACT_PATH_MAX] = "";
    char type[64] = "";
    size_t best = 0;
    FILE *file = fopen("/proc/self/mountinfo", "re");

    while (file && fgets(text, sizeof(text), file)) {
        char this_point[FACT_PATH_MAX];
        char this_options[FACT_PATH_MAX];
        const char *separator = strstr(text, " - ");
        size_t length;

        if (!separator ||
            sscanf(text, "%*s %*s %*s %*s %255s %255s", this_point, this_options) != 2)
            continue;
        length = covers(this_point, path);
        if (length < best || length == 0)
            continue;
        best = length;
        memcpy(point, this_point, sizeof(point));
        memcpy(options, this_options, sizeof(options));
        if (sscanf(separator + 3, "%63s", type) != 1)
            type[0] = '\0';
    }
    if (file)
        fclose(file);
    json_text(line, "path", path);
    if (best == 0)
        return;
    json_text(line, "mount_point", point);
    json_text(line, "mount_type", type);
    json_text(line, "mount_options", options);
}

static void write_error(struct json_line *line, const char *name, int error)
{
    const char *text = error_name(error);

    if (text)
        json_text(line, name, text);
    else
        json_format(line, name, "errno %d", error);
}

static void write_filter(struct json_line *line, const struct fact *fact)
{
    struct filter_query query = {.call = fact->call};
    char why[128];

    memcpy(query.arguments, fact->arguments, sizeof(query.arguments));
    json_number(line, "call", fact->call);
    if (filter_try(&query, 1, why, sizeof(why)) < 0)
        json_text(line, "filter_unknown", why);
    else if (query.verdict == FILTER_ALLOWS)
        json_text(line, "filter", "allows");
    else if (query.verdict == FILTER_KILLS)
        json_text(line, "filter", "kills");
    else if (query.verdict == FILTER_REFUSES)
        write_error(line, "filter", query.error);
}

void fact_write(const struct fact *fact, const char *check)
{
    static struct json_line line;
    const char *capability = capability_name(fact->capability);

    json_begin(&line);
    json_text(&line, "check", check);
    json_text(&line, "outcome", outcome_names[fact->outcome]);
    if (fact->error)
        write_error(&line, "error", fact->error);
    if (fact->text[0])
        json_text(&line, "text", fact->text);
    if (fact->call >= 0)
        write_filter(&line, fact);
    if (capability) {
        json_text(&line, "capability", capability);
        json_boolean(&line, "held", fact_capabilities() >> fact->capability & 1);
    }
    if (fact->path[0])
        write_mount(&line, fact->path);
    json_end(&line);
}
