/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the host; see probe_host.h. */
#include "vmm/probe/probe_host.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/base/bytes.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/io.h"

#define FILE_MAX (1U << 20)

static void set_text(json_t *host, const char *name, const char *text)
{
    json_object_set_new(host, name, json_string(text));
}

static void set_count(json_t *host, const char *name, int count)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", count);
    if (count >= 0)
        set_text(host, name, text);
}

static char *read_text(const char *path)
{
    char *text;
    size_t size;

    return io_read_file(AT_FDCWD, path, FILE_MAX, &text, &size, NULL) == 0 ? text : NULL;
}

static void set_first_line(json_t *host, const char *name, const char *path)
{
    AUTO_FREE char *text = read_text(path);

    if (!text)
        return;
    text[strcspn(text, "\n")] = '\0';
    set_text(host, name, text);
}

static int count_lines(const char *path)
{
    AUTO_FREE char *text = read_text(path);
    int count = 0;

    for (const char *at = text; at && (at = strchr(at, '\n')); at++)
        count++;
    return text ? count : -1;
}

static int count_entries(const char *path, bool numbers)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int count = 0;

    if (!directory)
        return -1;
    while ((entry = readdir(directory)))
        count += numbers ? isdigit((unsigned char)entry->d_name[0]) != 0 : entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

int probe_host_processes(void)
{
    return count_entries("/proc", true);
}

static void set_namespaces(json_t *host)
{
    static const char *const kinds[] = {"mnt", "pid",    "net",  "uts",
                                        "ipc", "cgroup", "user", "time"};

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        char path[64];
        char link[64];
        ssize_t size;

        snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
        size = readlink(path, link, sizeof(link) - 1);
        if (size <= 0)
            continue;
        link[size] = '\0';
        snprintf(path, sizeof(path), "ns_%s", kinds[i]);
        set_text(host, path, link);
    }
}

json_t *probe_host_look(void)
{
    json_t *host = json_object();
    struct utsname names;
    struct stat root;

    if (!host)
        return NULL;
    if (uname(&names) == 0) {
        set_text(host, "release", names.release);
        set_text(host, "version", names.version);
        set_text(host, "hostname", names.nodename);
    }
    if (stat("/", &root) == 0) {
        char text[64];

        snprintf(text, sizeof(text), "root %llu:%llu", (unsigned long long)root.st_dev,
                 (unsigned long long)root.st_ino);
        set_text(host, "chroot", text);
    }
    set_first_line(host, "command_line", "/proc/cmdline");
    set_first_line(host, "boot_id", "/proc/sys/kernel/random/boot_id");
    set_count(host, "processes", probe_host_processes());
    set_count(host, "mounts", count_lines("/proc/self/mountinfo"));
    set_count(host, "modules", count_lines("/proc/modules"));
    set_count(host, "block_classes", count_entries("/sys/class/block", false));
    set_namespaces(host);
    return host;
}
