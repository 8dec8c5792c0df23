/* SPDX-License-Identifier: Apache-2.0 */
/* What docker sets around each container; see settings.h. */
#include "guest/init/settings.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest/protocol.h"

#define STACK_BYTES    (8U << 20)
#define WORKING_SET_MS "20"

static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};

    if (setrlimit(resource, &limit) == 0 || getrlimit(resource, &limit) < 0)
        return;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    setrlimit(resource, &limit);
}

void settings_limits(void)
{
    static const int unlimited[] = {
        RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA, RLIMIT_RSS, RLIMIT_LOCKS,
    };

    set_limit(RLIMIT_NOFILE, PROTOCOL_OPEN_FILES, PROTOCOL_OPEN_FILES);
    set_limit(RLIMIT_STACK, STACK_BYTES, RLIM_INFINITY);
    for (unsigned i = 0; i < sizeof(unlimited) / sizeof(unlimited[0]); i++)
        set_limit(unlimited[i], RLIM_INFINITY, RLIM_INFINITY);
}

/* A kernel without the setting is no reason not to run. */
static void write_setting(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t ignored;

    if (fd < 0)
        return;
    ignored = write(fd, value, strlen(value));
    (void)ignored;
    close(fd);
}

void settings_network(void)
{
    write_setting("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    write_setting("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

void settings_announce_addresses(void)
{
    write_setting("/proc/sys/net/ipv4/conf/all/arp_notify", "1");
}

/*
 * Left alone the kernel goes on as long as it can drop a page of a running program's file, only to
 * read it again: for minutes. No program streams through a VM's memory within this time. A kernel
 * without generations of pages (CONFIG_LRU_GEN) is left as it is.
 */
void settings_memory(void)
{
    write_setting("/sys/kernel/mm/lru_gen/min_ttl_ms", WORKING_SET_MS);
}
