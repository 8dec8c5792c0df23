/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what can be seen from inside. They only read. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest/probes/check.h"

#define KLOG_READ_ALL 3

/* The first line of a file is the result. */
static void see_file(const char *path, struct fact *fact)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, fact->text, sizeof(fact->text) - 1);

    snprintf(fact->path, sizeof(fact->path), "%s", path);
    if (size < 0) {
        fact_set_result(fact, -1);
        fact->text[0] = '\0';
    } else if (size == 0) {
        fact->outcome = FACT_EMPTY;
    } else {
        fact->text[size] = '\0';
        fact->text[strcspn(fact->text, "\n")] = '\0';
        fact->outcome = FACT_SEEN;
    }
    if (fd >= 0)
        close(fd);
}

/* A string of uname(2), the one at `offset`. */
static void see_name(struct fact *fact, size_t offset)
{
    struct utsname names;

    if (uname(&names) < 0) {
        fact_set_result(fact, -1);
        return;
    }
    fact->outcome = FACT_SEEN;
    fact_set_text(fact, "%s", (const char *)&names + offset);
}

void check_release(const struct check_context *context, struct fact *fact)
{
    (void)context;
    see_name(fact, offsetof(struct utsname, release));
}

void check_version(const struct check_context *context, struct fact *fact)
{
    (void)context;
    see_name(fact, offsetof(struct utsname, version));
}

void check_hostname(const struct check_context *context, struct fact *fact)
{
    (void)context;
    see_name(fact, offsetof(struct utsname, nodename));
}

void check_command_line(const struct check_context *context, struct fact *fact)
{
    (void)context;
    see_file("/proc/cmdline", fact);
}

void check_boot_id(const struct check_context *context, struct fact *fact)
{
    (void)context;
    see_file("/proc/sys/kernel/random/boot_id", fact);
}

static bool is_number(const char *text)
{
    return isdigit((unsigned char)text[0]);
}

static bool is_any(const char *text)
{
    return text[0] != '.';
}

/* Entries of a directory that `wanted` takes; -1 with errno. */
static int count_entries(const char *path, bool (*wanted)(const char *name))
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int count = 0;

    if (!directory)
        return -1;
    while ((entry = readdir(directory)))
        count += wanted(entry->d_name);
    closedir(directory);
    return count;
}

/* Lines of a file; -1 with errno. */
static int count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    int count = 0;
    int byte;

    if (!file)
        return -1;
    while ((byte = getc(file)) != EOF)
        count += byte == '\n';
    fclose(file);
    return count;
}

static void set_count(struct fact *fact, int count)
{
    if (count < 0) {
        fact_set_result(fact, -1);
        return;
    }
    fact->outcome = FACT_SEEN;
    fact_set_text(fact, "%d", count);
}

void check_processes(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_count(fact, count_entries("/proc", is_number) - 1); /* the child that counts */
}

/* Whether the process of the host can be found by its id. */
void check_outside(const struct check_context *context, struct fact *fact)
{
    char path[64];

    if (context->outside <= 0) {
        fact_set_text(fact, "no process of the host was given");
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)context->outside);
    see_file(path, fact);
}

void check_mounts(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_count(fact, count_lines("/proc/self/mountinfo"));
}

void check_modules(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_count(fact, count_lines("/proc/modules"));
}

/* The names of the device nodes, without those that every container has. */
void check_devices(const struct check_context *context, struct fact *fact)
{
    DIR *directory = opendir("/dev");
    const struct dirent *entry;
    size_t used = 0;

    (void)context;
    if (!directory) {
        fact_set_result(fact, -1);
        return;
    }
    fact->outcome = FACT_SEEN;
    while ((entry = readdir(directory))) {
        struct stat status;

        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !(S_ISBLK(status.st_mode) || S_ISCHR(status.st_mode)))
            continue;
        used += (size_t)snprintf(fact->text + used, sizeof(fact->text) - used, "%s%s",
                                 used ? " " : "", entry->d_name);
        if (used >= sizeof(fact->text))
            break;
    }
    if (used == 0)
        fact->outcome = FACT_EMPTY;
    closedir(directory);
}

/* Names in the last column of /proc/partitions: two lines of heading, then "major minor blocks
 * name". */
void check_disks(const struct check_context *context, struct fact *fact)
{
    FILE *file = fopen("/proc/partitions", "re");
    char line[256];
    size_t used = 0;

    (void)context;
    if (!file) {
        fact_set_result(fact, -1);
        return;
    }
    fact->outcome = FACT_SEEN;
    while (fgets(line, sizeof(line), file)) {
        char name[64];

        if (sscanf(line, "%*d %*d %*d %63s", name) != 1)
            continue;
        used += (size_t)snprintf(fact->text + used, sizeof(fact->text) - used, "%s%s",
                                 used ? " " : "", name);
        if (used >= sizeof(fact->text))
            break;
    }
    if (used == 0)
        fact->outcome = FACT_EMPTY;
    fclose(file);
}

void check_block_classes(const struct check_context *context, struct fact *fact)
{
    (void)context;
    set_count(fact, count_entries("/sys/class/block", is_any));
}

void check_kernel_log(const struct check_context *context, struct fact *fact)
{
    char text[64];

    (void)context;
    fact->call = SYS_syslog;
    fact->arguments[0] = KLOG_READ_ALL;
    fact->capability = CAP_SYSLOG;
    fact_set_result(fact, klogctl(KLOG_READ_ALL, text, sizeof(text)));
}

void check_kcore(const struct check_context *context, struct fact *fact)
{
    (void)context;
    fact->capability = CAP_SYS_RAWIO;
    see_file("/proc/kcore", fact);
    if (fact->outcome == FACT_SEEN)
        fact_set_text(fact, "its header can be read");
}
